"""What people open in a browser: the viewer's pages, and beside them overlays and the console."""
