"""Images that stay on disk because memory does not hold them, and the order in which an epoch reads them."""
