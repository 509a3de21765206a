"""The services of the embedded set-up: finding Java, fetching archives, configuring, starting and watching them."""
