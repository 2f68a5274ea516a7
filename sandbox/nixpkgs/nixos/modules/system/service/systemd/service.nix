# Modular services: where nixpkgs has them too, since home-manager imports this path.
{ ... }: { }
