# The module system of the MINIATURE library: options, definitions, priorities, `extendModules`.
#
# Enters: a list of modules (a path, a function or an attribute set). Leaves: `{ config, options,
# extendModules, ... }`. It knows what the layers and the miniature modules need: imports,
# `_module.args`, `mkIf`, `mkMerge`, priorities, order, `apply`, a free form type, unknown options
# and missing definitions as errors, `disabledModules`. Documentation and option merging are left out:
# the real library has them.
{ lib }:
let
  inherit (builtins)
    attrNames concatMap elem filter foldl' head isAttrs isFunction isList isPath isString length map
    mapAttrs sort;

  defaultPriority = 100;
  optionDefaultPriority = 1500;
  showPath = path: builtins.concatStringsSep "." path;
  kind = value: if isAttrs value then value._type or "" else "";

  # 1. Load: every module becomes { file, key, options, config }, imports first seen win by key.
  load = arguments: fallbackFile: value:
    let
      file = if isPath value || isString value then toString value else fallbackFile;
      content = if isPath value || isString value then import value else value;
      body = if lib.isFunction content then callModule arguments content else content;
      structured = body ? config || body ? options;
      meta = [ "_file" "key" "imports" "options" "config" "freeformType" "disabledModules" "_class" ];
      stray = filter (name: !elem name meta) (attrNames body);
    in
    if structured && stray != [ ]
    then throw "Module `${body._file or file}' has both `config'/`options' and ${showPath stray} at its top level."
    else {
      file = body._file or file;
      key = if isPath value || isString value then toString value else body.key or null;
      imports = body.imports or [ ];
      disabled = map (keyOf arguments) (body.disabledModules or [ ]);
      options = body.options or { };
      config =
        let own = if structured then body.config or { } else removeAttrs body meta; in
        if body ? freeformType
        then { _type = "merge"; contents = [ own { _module.freeformType = body.freeformType; } ]; }
        else own;
    };

  # By which a module is disabled: its path, below the modules of the system where that is relative.
  keyOf = arguments: named:
    if isAttrs named then toString (named.key or named)
    else if isString named && builtins.substring 0 1 named != "/" then "${arguments.modulesPath or ""}/${named}"
    else toString named;

  callModule = arguments: f:
    f (arguments // mapAttrs
      (name: _: arguments.${name} or (
        arguments.config._module.args.${name}
          or (throw "A module asks for the argument `${name}', which neither specialArgs nor _module.args has.")
      ))
      (lib.functionArgs f));

  collect = arguments: modules:
    let disabled = concatMap (module: module.disabled) (collectWithout [ ] arguments modules); in
    collectWithout disabled arguments modules;
  collectWithout = disabled: arguments: modules:
    let
      visit = state: entry:
        let module = load arguments entry.file entry.value; in
        if module.key != null && elem module.key (disabled ++ state.keys) then state
        else
          foldl' visit
            {
              keys = state.keys ++ lib.optional (module.key != null) module.key;
              modules = state.modules ++ [ module ];
            }
            (map (value: { inherit value; inherit (module) file; }) module.imports);
    in
    (foldl' visit { keys = [ ]; modules = [ ]; }
      (map (value: { inherit value; file = "<unknown-file>"; }) modules)).modules;
  # Definitions of later modules come first, those of imports before those of their importer.
  reverse = list: builtins.genList (n: builtins.elemAt list (length list - 1 - n)) (length list);

  # 2. Push conditions and priorities down to the attributes, so that the shape of `config` can be
  #    walked without deciding any condition.
  pushDown = value:
    let type = kind value; in
    if type == "merge" then concatMap pushDown value.contents
    else if type == "if" then map (mapAttrs (_: lib.mkIf value.condition)) (pushDown value.content)
    else if type == "override" then map (mapAttrs (_: lib.mkOverride value.priority)) (pushDown value.content)
    else if isAttrs value then [ value ]
    else throw "A set of definitions was expected, but ${builtins.typeOf value} was given.";

  # 3. One option: decide conditions, keep the strongest priority, order, check, merge, apply.
  discharge = definition:
    let value = definition.value; type = kind value; in
    if type == "merge" then concatMap (content: discharge (definition // { value = content; })) value.contents
    else if type == "if" then (if value.condition then discharge (definition // { value = value.content; }) else [ ])
    else if type == "override" then
      map (inner: inner // { inherit (value) priority; }) (discharge (definition // { value = value.content; }))
    else if type == "order" then [ (definition // { order = value.priority; value = value.content; }) ]
    else [ definition ];

  evalOption = path: option: definitions:
    let
      fallback = lib.optional (option ? default)
        { file = "<default>"; value = lib.mkOverride optionDefaultPriority option.default; };
      decided = concatMap discharge (fallback ++ definitions);
      strength = definition: definition.priority or defaultPriority;
      strongest = foldl' (best: definition: if strength definition < best then strength definition else best) 9999 decided;
      kept = sort (a: b: (a.order or 1000) < (b.order or 1000))
        (filter (definition: strength definition == strongest) decided);
      type = option.type or lib.types.unspecified;
      wrong = filter (definition: !type.check definition.value) kept;
      merged =
        if option.readOnly or false && length definitions > 1 then
          throw "The option `${showPath path}' is read-only, but it's set multiple times."
        else if kept == [ ] && type.emptyValue or { } ? value then type.emptyValue.value
        else if kept == [ ] then throw "The option `${showPath path}' was accessed but has no value defined."
        else if wrong != [ ] then
          throw "A definition for option `${showPath path}' is not of type `${type.description}'. Definition values: - In `${(head wrong).file}'"
        else type.merge path kept;
    in
    option // {
      value = (option.apply or lib.id) merged;
      isDefined = kept != [ ];
      highestPrio = strongest;
      files = map (definition: definition.file) kept;
      definitionsWithLocations = kept;
      definitions = map (definition: definition.value) kept;
      loc = path;
    };

  # 4. Walk declarations and definitions together. `unmatched` are definitions without a declaration.
  walk = path: declarations: definitions:
    let
      names = lib.unique (concatMap (declaration: attrNames declaration.options) declarations);
      flat = concatMap (definition: map (config: { inherit (definition) file; inherit config; }) (pushDown definition.config)) definitions;
      known = builtins.listToAttrs (map (name: { inherit name; value = step name; }) names);
      step = name:
        let
          here = path ++ [ name ];
          declared = concatMap (d: lib.optional (d.options ? ${name}) { inherit (d) file; options = d.options.${name}; }) declarations;
          defined = concatMap (d: lib.optional (d.config ? ${name}) { inherit (d) file; value = d.config.${name}; }) flat;
          isOption = declaration: kind declaration.options == "option";
        in
        if lib.any isOption declared then
          (if length declared > 1 && !(lib.all isOption declared)
          then throw "The option `${showPath here}' is declared both as an option and as a set of options."
          else {
            options = evalOption here (foldl' (all: d: all // d.options) { } declared) defined;
            unmatched = [ ];
          })
        else walk here declared (map (d: { inherit (d) file; config = d.value; }) defined);
      stray = concatMap
        (definition: map (name: { inherit (definition) file; path = path ++ [ name ]; value = definition.config.${name}; })
          (filter (name: !elem name names) (attrNames definition.config)))
        flat;
    in
    {
      options = mapAttrs (_: child: child.options) known;
      unmatched = stray ++ concatMap (name: known.${name}.unmatched) names;
    };

  valuesOf = mapAttrs (_: child: if kind child == "option" then child.value else valuesOf child);

  evalModules = { modules, specialArgs ? { }, prefix ? [ ], class ? null, check ? true, args ? { } }@given:
    let
      arguments = { inherit config options lib; } // specialArgs;
      internal = {
        _file = "<module system>";
        options._module = {
          args = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.raw; default = { }; };
          specialArgs = lib.mkOption { type = lib.types.raw; };
          freeformType = lib.mkOption { type = lib.types.nullOr lib.types.raw; default = null; };
          check = lib.mkOption { type = lib.types.bool; default = check; };
        };
        config._module = { args = { inherit extendModules; }; inherit specialArgs; };
      };
      loaded = reverse (collect arguments ([ internal ] ++ modules));
      walked = walk prefix
        (map (module: { inherit (module) file options; }) loaded)
        (map (module: { inherit (module) file config; }) loaded);
      inherit (walked) options;
      declared = valuesOf options;
      freeform = declared._module.freeformType;
      config =
        if freeform != null && walked.unmatched != [ ] then
          declared // freeform.merge prefix
            (map (u: { inherit (u) file; value = lib.setAttrByPath (lib.removePath prefix u.path) u.value; }) walked.unmatched)
        else declared;
      first = head walked.unmatched;
      checked =
        if freeform == null && declared._module.check && walked.unmatched != [ ] then
          throw "The option `${showPath first.path}' does not exist. Definition values: - In `${first.file}'"
        else config;
      extendModules = { modules ? [ ], specialArgs ? { }, prefix ? given.prefix or [ ] }:
        evalModules (given // {
          inherit prefix;
          modules = given.modules ++ modules;
          specialArgs = given.specialArgs or { } // specialArgs;
        });
    in
    {
      _type = "configuration";
      inherit options class extendModules;
      inherit (declared) _module;
      config = removeAttrs checked [ "_module" ];
    };
in
{
  inherit evalModules defaultPriority;

  removePath = prefix: path: if prefix == [ ] then path else lib.removePath (builtins.tail prefix) (builtins.tail path);

  mkOption = attributes: attributes // { _type = "option"; };
  mkEnableOption = name: lib.mkOption { type = lib.types.bool; default = false; description = "Whether to enable ${name}."; };
  mkPackageOption = pkgs: name: { ... }: lib.mkOption { type = lib.types.package; default = pkgs.${name}; };
  literalExpression = text: { _type = "literalExpression"; inherit text; };
  isOption = value: kind value == "option";

  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkOptionDefault = lib.mkOverride optionDefaultPriority;
  mkDefault = lib.mkOverride 1000;
  mkImageMediaOverride = lib.mkOverride 60;
  mkForce = lib.mkOverride 50;
  mkVMOverride = lib.mkOverride 10;
  mkOrder = priority: content: { _type = "order"; inherit priority content; };
  mkBefore = lib.mkOrder 500;
  mkAfter = lib.mkOrder 1500;
  # One definition, or a whole set of them at once.
  mkRenamedOptionModule = from: to: { config, ... }: {
    options = lib.setAttrByPath from (lib.mkOption { apply = _: lib.attrByPath to null config; default = null; type = lib.types.raw; });
  };
  mergeOneOption = path: definitions:
    if length definitions == 1 then (head definitions).value
    else throw "The option `${showPath path}' is defined multiple times while it's expected to be unique.";
  mergeEqualOption = path: definitions:
    foldl'
      (value: definition:
        if definition.value == value then value
        else throw "The option `${showPath path}' has conflicting definition values: - In `${(head definitions).file}' - In `${definition.file}'")
      (head definitions).value
      definitions;
  inherit showPath discharge;
  dischargeAll = concatMap discharge;
  evalOptionAt = evalOption;
  showOption = showPath;
}
