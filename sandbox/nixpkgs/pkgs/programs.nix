# Programs of the miniature package set: consumers of the libraries, desktop applications, the driver.
final: prev:
let
  inherit (prev) lib release;
  since = version: lib.versionAtLeast release version;
  program = attributes: final.stdenv.mkDerivation ({ version = "1.0"; } // attributes);
  # An application whose wrapper takes `commandLineArgs`, as some of nixpkgs' do.
  withArguments = attributes: final.callPackage
    ({ stdenv, commandLineArgs ? "" }: stdenv.mkDerivation ({ version = "1.0"; inherit commandLineArgs; } // attributes))
    { };
  driver = version: program { pname = "nvidia-x11"; inherit version; meta.unfree = true; };
in
{
  bash = program { pname = "bash"; commands = "bash"; };
  bashInteractive = final.bash;
  coreutils = program { pname = "coreutils"; commands = "ls cat true"; };
  findutils = program { pname = "findutils"; };
  gnused = program { pname = "gnused"; };
  gnugrep = program { pname = "gnugrep"; buildInputs = [ final.pcre2 ]; commands = "grep"; };
  git = program { pname = "git"; buildInputs = [ final.curl final.zlib final.pcre2 final.openssl final.expat ]; commands = "git"; };
  nix = program { pname = "nix"; buildInputs = [ final.curl final.sqlite final.libsodium final.xz final.brotli ]; };
  kwin = program { pname = "kwin"; buildInputs = [ final.freetype final.fontconfig final.libpng ]; };
  systemd = program { pname = "systemd"; buildInputs = [ final.zstd final.lz4 final.libgcrypt ]; commands = "systemd-run systemctl"; };
  procps = program { pname = "procps"; commands = "watch free ps"; };
  firefox = program { pname = "firefox"; version = "153.0"; buildInputs = [ final.sqlite final.libwebp final.harfbuzz ]; commands = "firefox"; };
  kdePackages.plasma-workspace = program { pname = "plasma-workspace"; version = "6.7.3"; };
  jemalloc = program { pname = "jemalloc"; };

  teams-for-linux = program { pname = "teams-for-linux"; commands = "teams-for-linux"; desktopEntries = "teams-for-linux.desktop=teams-for-linux %U"; meta.mainProgram = "teams-for-linux"; };
  discord = withArguments { pname = "discord"; commands = "Discord discord"; desktopEntries = "discord.desktop=Discord"; meta = { unfree = true; mainProgram = "discord"; }; };
  spotify = program { pname = "spotify"; commands = "spotify"; desktopEntries = "spotify.desktop=spotify %U"; meta = { unfree = true; mainProgram = "spotify"; }; };
  vscodium = withArguments { pname = "vscodium"; commands = "codium"; desktopEntries = "codium.desktop=codium %F\ncodium-url-handler.desktop=codium --open-url %U"; meta.mainProgram = "codium"; };
  signal-desktop = (if since "26.05" then withArguments else program) { pname = "signal-desktop"; commands = "signal-desktop"; desktopEntries = "signal.desktop=signal-desktop %U"; meta.mainProgram = "signal-desktop"; };
  # The entry names its program by absolute path, as this package did before it became an FHS environment.
  zoom-us = program { pname = "zoom-us"; commands = "zoom zoom-us"; desktopEntries = "Zoom.desktop=@out@/bin/zoom %U"; meta = { unfree = true; mainProgram = "zoom"; }; };

  nvidia-vaapi-driver = program { pname = "nvidia-vaapi-driver"; };
  intel-media-driver = program { pname = "intel-media-driver"; };
  intel-vaapi-driver = program { pname = "intel-vaapi-driver"; };
  libva-vdpau-driver = program { pname = "libva-vdpau-driver"; };
  libvdpau-va-gl = program { pname = "libvdpau-va-gl"; };
  vaapiVdpau = throw "'vaapiVdpau' has been renamed to/replaced by 'libva-vdpau-driver'";
  pkgsi686Linux = final;

  # Named by home-manager's own modules, and of no interest to the layers.
  inherit (lib.genAttrs [ "glibcLocales" "diffutils" "gettext" "jq" "ncurses" "shared-mime-info" "desktop-file-utils" "man" "installShellFiles" "nixos-render-docs" "sd-switch" "bash-completion" "lndir" ] (name: program { pname = name; })) glibcLocales diffutils gettext jq ncurses shared-mime-info desktop-file-utils man installShellFiles nixos-render-docs sd-switch bash-completion lndir;

  # Where home-manager 25.11 looks for it.
  xorg = { inherit (final) lndir; };

  linuxPackages = {
    kernel = program { pname = "linux"; version = if since "26.05" then "6.18.9" else "6.12.60"; };
    nvidiaPackages =
      if since "26.11" then { stable = driver "595.84"; production = driver "595.84"; legacy_580 = driver "580.173.02"; legacy_470 = driver "470.256.02"; }
      else if since "26.05" then { stable = driver "595.71.05"; production = driver "595.71.05"; legacy_580 = driver "580.173.02"; legacy_470 = driver "470.256.02"; }
      else { stable = driver "580.142"; production = driver "580.142"; legacy_470 = driver "470.256.02"; };
  };
}
