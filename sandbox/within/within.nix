# home-manager as a module of the system, as most people have it.
{ host, ... }:
{
  users.users.${host.user}.home = host.home;
  home-manager.useGlobalPkgs = true;
  home-manager.useUserPackages = true;
  home-manager.extraSpecialArgs.host = host;
}
