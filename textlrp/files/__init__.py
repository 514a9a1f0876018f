"""Check paths and write files and folders safely, with only the standard library."""
