"""Smart City Traffic: the shared core that batch jobs, stream, API and command line are built on."""
