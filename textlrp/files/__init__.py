"""Read and write files and folders safely, with the standard library alone."""
