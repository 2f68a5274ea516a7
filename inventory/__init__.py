"""One file a workspace: where it is, and the choices made for it."""
