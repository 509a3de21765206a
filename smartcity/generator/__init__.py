"""The generated city: a latent speed field, vehicles that drive through it, and the files they leave behind."""
