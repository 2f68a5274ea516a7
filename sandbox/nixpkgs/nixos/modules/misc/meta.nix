# meta: where nixpkgs has it too, since home-manager imports this path.
{ lib, ... }:
{
  options.meta = lib.mkOption {
    type = lib.types.submodule { freeformType = lib.types.lazyAttrsOf lib.types.unspecified; };
    default = { };
  };
}
