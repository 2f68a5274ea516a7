# What the layers rely on in a module system, as one value: the miniature's answers and those of the
# real library have to be the same. Enters: a library. Leaves: answers; null is an evaluation that throws.
{ lib }:
let
  inherit (lib) mkOption types;
  attempt = value:
    let tried = builtins.tryEval (builtins.deepSeq value value); in
    if tried.success then tried.value else null;

  declarations = {
    options = {
      flag = mkOption { type = types.bool; default = false; };
      count = mkOption { type = types.int; default = 1; };
      list = mkOption { type = types.listOf types.str; default = [ ]; };
      lines = mkOption { type = types.lines; default = ""; };
      maybe = mkOption { type = types.nullOr types.int; default = null; };
      level = mkOption { type = types.enum [ "low" "high" ]; default = "low"; };
      either = mkOption { type = types.either types.int types.str; default = 0; };
      required = mkOption { type = types.str; };
      applied = mkOption { type = types.int; default = 2; apply = value: value * 10; };
      package = mkOption { type = types.package; };
      raw = mkOption { type = types.raw; };
      once = mkOption { type = types.attrsOf (types.uniq types.int); default = { }; };
      free = mkOption { type = types.anything; default = { }; };
      units = mkOption {
        default = { };
        type = types.attrsOf (types.submodule ({ name, config, ... }: {
          options.label = mkOption { type = types.str; default = "unit ${name}"; };
          options.size = mkOption { type = types.int; default = 0; };
          options.double = mkOption { type = types.int; };
          config.double = config.size * 2;
        }));
      };
      settings = mkOption {
        default = { };
        type = types.submodule {
          freeformType = types.attrsOf types.anything;
          options.features = mkOption { type = types.listOf types.str; default = [ "plain" ]; };
        };
      };
    };
  };
  some = { type = "derivation"; name = "some"; outPath = "/some"; drvPath = "/some.drv"; };
  run = modules: (lib.evalModules { modules = [ declarations ] ++ modules; });
  get = modules: (run modules).config;
in
lib.mapAttrs (_: attempt) {
  defaults = removeAttrs (get [ ]) [ "required" "package" "raw" ];
  requiredIsMissing = (get [ ]).required;
  unknownOption = (get [{ nothing = 1; }]).count;
  wrongType = (get [{ count = "3"; }]).count;
  conflict = (get [{ count = 3; } { count = 4; }]).count;
  agreement = (get [{ count = 3; } { count = 3; }]).count;
  userBeatsDefault = (get [{ count = lib.mkDefault 3; } { count = 4; }]).count;
  forceBeatsUser = (get [{ count = lib.mkForce 3; } { count = 4; }]).count;
  between = (get [{ count = lib.mkDefault 3; } { count = lib.mkOverride 900 5; }]).count;
  twoDefaults = (get [{ count = lib.mkDefault 3; } { count = lib.mkDefault 4; }]).count;
  conditionFalse = (get [{ config = lib.mkIf false { count = 3; }; }]).count;
  conditionOnConfig = (get [ ({ config, ... }: { config = lib.mkIf config.flag { count = 3; }; }) { flag = true; } ]).count;
  defaultInsideCondition = (get [{ config = lib.mkIf true { count = lib.mkDefault 3; }; } { count = 5; }]).count;
  overrideOfSet = (get [{ config = lib.mkForce { count = 3; }; } { count = 4; }]).count;
  merged = (get [{ config = lib.mkMerge [{ list = [ "a" ]; } (lib.mkIf false { list = [ "b" ]; }) { list = [ "c" ]; }]; }]).list;
  ordered = (get [{ list = lib.mkAfter [ "z" ]; } { list = [ "m" ]; } { list = lib.mkBefore [ "a" ]; }]).list;
  forcedList = (get [{ list = [ "a" ]; } { list = lib.mkForce [ ]; }]).list;
  joinedLines = (get [{ lines = "a"; } { lines = "b"; }]).lines;
  notInEnum = (get [{ level = "none"; }]).level;
  eitherOne = map (value: (get [{ either = value; }]).either) [ 3 "x" ];
  applied = (get [{ applied = 4; }]).applied;
  freeMerge = (get [{ free.a.b = 1; } { free.a.c = [ 2 ]; }]).free;
  freeList = (get [{ free.c = [ 2 ]; } { free.c = [ 3 ]; }]).free;
  freeDefault = (get [{ free.a = lib.mkDefault 1; } { free.a = 2; }]).free;
  unit = (get [{ units.one.size = 3; } { units.two.label = "other"; } { units.one.label = lib.mkForce "forced"; }]).units;
  unitCondition = lib.attrNames (get [{ units.one = lib.mkIf false { size = 3; }; }]).units;
  unitUnknown = (get [{ units.one.colour = 3; }]).units;
  freeform = (get [{ settings.max-jobs = 3; settings.features = [ "more" ]; }]).settings;
  freeformDefault = (get [{ settings.max-jobs = lib.mkDefault 3; } { settings.max-jobs = 5; }]).settings.max-jobs;
  argument = (get [ ({ answer, ... }: { count = answer; }) { _module.args.answer = 42; } ]).count;
  specialArgument = (lib.evalModules {
    modules = [ declarations ({ answer, ... }: { count = answer; }) { _module.args.answer = 1; } ];
    specialArgs.answer = 7;
  }).config.count;
  imported = (get [{ imports = [{ list = [ "i" ]; }]; list = [ "o" ]; }]).list;
  extended = ((run [{ count = 3; }]).extendModules { modules = [{ count = lib.mkForce 4; }]; }).config.count;
  extendedTwice = (((run [ ]).extendModules { modules = [{ list = [ "a" ]; }]; }).extendModules { modules = [{ list = [ "b" ]; }]; }).config.list;
  optionsAreThere = (run [ ({ options, ... }: { flag = options ? units && !(options ? gone); }) ]).config.flag;
  bothForms = (get [{ count = 3; config.flag = true; }]).count;
  samePackageTwice = (get [{ package = some; } { package = some; }]).package.name;
  packageOfTwoPriorities = (get [{ package = some; } { package = lib.mkDefault some; }]).package.name;
  sameRawTwice = (get [{ raw = 1; } { raw = 1; }]).raw;
  sameOnceTwice = (get [{ once.a = 1; } { once.a = 1; }]).once;
  onceOfTwoPriorities = (get [{ once.a = 1; } { once.a = lib.mkDefault 2; }]).once;
  betweenDefaultAndOption = (get [{ count = lib.mkOverride 1250 3; } { count = lib.mkDefault 4; }]).count;
  overOption = (get [{ count = lib.mkOverride 1250 3; }]).count;
  whoSays = map (definition: definition.value) (run [{ count = lib.mkOverride 1250 3; } { count = lib.mkDefault 4; }]).options.count.definitionsWithLocations;
  howStrong = (run [{ count = lib.mkOverride 1250 3; } { count = lib.mkDefault 4; }]).options.count.highestPrio;
  whoSaysInside = map (definition: definition.value.a._type or "plain") (run [{ free.a = lib.mkDefault 1; } { free.a = 2; }]).options.free.definitionsWithLocations;
  applyBesideTheOption = (get [{ options.list = mkOption { apply = map (value: value + "!"); }; } { list = [ "a" ]; }]).list;
  disabled = (get [{ imports = [{ key = "one"; list = [ "a" ]; imports = [{ list = [ "b" ]; }]; } { list = [ "c" ]; }]; } { disabledModules = [{ key = "one"; }]; }]).list;
  disabledByTheDisabled = (get [{ imports = [{ key = "one"; list = [ "a" ]; disabledModules = [{ key = "two"; }]; } { key = "two"; list = [ "b" ]; }]; } { disabledModules = [{ key = "one"; }]; }]).list;
  readOnlyOnce = (get [{ options.fixed = mkOption { readOnly = true; type = types.int; }; config.fixed = 1; }]).fixed;
  readOnlyTwice = (get [{ options.fixed = mkOption { readOnly = true; type = types.int; }; config.fixed = 1; } { fixed = lib.mkForce 1; }]).fixed;
  readOnlyTwiceOnPaper = (get [{ options.fixed = mkOption { readOnly = true; type = types.int; }; config.fixed = 1; } { config = lib.mkIf false { fixed = 1; }; }]).fixed;
  uniqueOnce = (get [{ options.own = mkOption { type = types.unique { message = "x"; } types.anything; }; config.own = [ 1 ]; }]).own;
  uniqueTwice = (get [{ options.own = mkOption { type = types.unique { message = "x"; } types.anything; }; config.own = [ 1 ]; } { own = [ 1 ]; }]).own;
  uniqueForced = (get [{ options.own = mkOption { type = types.unique { message = "x"; } types.anything; }; config.own = [ 1 ]; } { own = lib.mkForce [ 2 ]; }]).own;
  nullOrBoth = (get [{ maybe = null; } { maybe = 3; }]).maybe;
}
