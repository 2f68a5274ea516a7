# Option types of the MINIATURE library: each has `check value` and `merge path definitions`.
{ lib }:
let
  inherit (builtins) all any concatMap elem filter foldl' head isAttrs isBool isFloat isFunction isInt isList isPath isString length map mapAttrs;

  mkOptionType = { name, description ? name, check ? (_: true), merge ? lib.mergeEqualOption, ... }@given:
    given // { _type = "option-type"; inherit name description check merge; };

  # How a type is named inside of another one's name: in brackets, unless it is of one of these classes.
  phrase = classes: type:
    if elem (type.descriptionClass or "") classes then type.description else "(${type.description})";
  inner = phrase [ "noun" "composite" ];

  # Definitions of one element: decided like an option of the element's type, without a default.
  element = type: path: definitions: (lib.evalOptionAt path { inherit type; } definitions).value;
  decided = type: path: definitions: lib.evalOptionAt path { inherit type; } definitions;

  simple = name: check: mkOptionType { inherit name check; descriptionClass = "noun"; };
  listOf = type: mkOptionType {
    name = "listOf";
    description = "list of ${inner type}";
    descriptionClass = "composite";
    check = isList;
    emptyValue.value = [ ];
    merge = path: definitions:
      concatMap
        (definition: concatMap
          (value:
            let one = decided type (path ++ [ "*" ]) [{ inherit (definition) file; inherit value; }]; in
            lib.optional one.isDefined one.value)
          definition.value)
        definitions;
  };
  attrsOfWith = { type, lazy }: mkOptionType {
    name = if lazy then "lazyAttrsOf" else "attrsOf";
    description = "${lib.optionalString lazy "lazy "}attribute set of ${inner type}";
    descriptionClass = "composite";
    check = isAttrs;
    emptyValue.value = { };
    merge = path: definitions:
      let
        names = lib.unique (concatMap (definition: builtins.attrNames definition.value) definitions);
        at = name: decided type (path ++ [ name ])
          (concatMap (d: lib.optional (d.value ? ${name}) { inherit (d) file; value = d.value.${name}; }) definitions);
        present = if lazy then names else filter (name: (at name).isDefined) names;
      in
      lib.genAttrs present (name: (at name).value);
  };
  either = first: second: mkOptionType {
    name = "either";
    description = "${phrase [ "noun" "conjunction" ] first} or ${phrase [ "noun" "conjunction" "composite" ] second}";
    descriptionClass = "conjunction";
    check = value: first.check value || second.check value;
    merge = path: definitions:
      if all (definition: first.check definition.value) definitions then first.merge path definitions
      else second.merge path definitions;
  };
  between = low: high: simple "integer between ${toString low} and ${toString high} (both inclusive)"
    (value: isInt value && value >= low && value <= high);
  isText = value: isString value || isPath value || value ? outPath;
  submoduleWith = { modules, specialArgs ? { }, shorthandOnlyDefinesConfig ? false, ... }: mkOptionType {
    name = "submodule";
    description =
      let free = (lib.evalModules { inherit specialArgs; modules = modules ++ [{ _module.args.name = "name"; }]; })._module.freeformType;
      in if free == null then "submodule" else "open submodule of ${inner free}";
    check = value: isAttrs value || isFunction value || isPath value;
    emptyValue.value = { };
    merge = path: definitions:
      (lib.evalModules {
        prefix = path;
        inherit specialArgs;
        modules = modules
          ++ [{ _module.args.name = lib.last path; }]
          ++ map
          (definition:
            if isAttrs definition.value && shorthandOnlyDefinesConfig then { _file = definition.file; config = definition.value; }
            else { _file = definition.file; imports = [ definition.value ]; })
          definitions;
      }).config;
  };
  # Sets are merged attribute by attribute, everything else has to agree.
  anything = mkOptionType {
    name = "anything";
    descriptionClass = "noun";
    merge = path: definitions:
      let values = map (definition: definition.value) definitions; in
      if all (value: isAttrs value && !(value ? outPath)) values then (attrsOfWith { type = anything; lazy = true; }).merge path definitions
      else if all isFunction values then argument: anything.merge path (map (d: d // { value = d.value argument; }) definitions)
      else lib.mergeEqualOption path definitions;
  };
in
rec {
  inherit mkOptionType listOf either submoduleWith anything;
  bool = simple "boolean" isBool;
  int = simple "signed integer" isInt;
  float = simple "floating point number" isFloat;
  number = either int float;
  ints = {
    inherit between;
    unsigned = simple "unsigned integer, meaning >=0" (value: isInt value && value >= 0);
    positive = simple "positive integer, meaning >0" (value: isInt value && value > 0);
    u8 = between 0 255;
    u16 = between 0 65535;
  };
  str = simple "string" isString;
  singleLineStr = simple "string without newlines" (value: isString value && builtins.match "[^\n]*\n?" value != null);
  strMatching = pattern: simple "string matching the pattern ${pattern}" (value: isString value && builtins.match pattern value != null);
  nonEmptyStr = simple "non-empty string" (value: isString value && value != "");
  separatedString = separator: mkOptionType {
    name = "separatedString";
    description = "strings concatenated with ${builtins.toJSON separator}";
    descriptionClass = "noun";
    check = isString;
    merge = _: definitions: builtins.concatStringsSep separator (map (definition: definition.value) definitions);
  };
  lines = separatedString "\n";
  commas = separatedString ",";
  envVar = separatedString ":";
  path = simple "absolute path" (value: isText value && builtins.substring 0 1 (toString value) == "/");
  pathInStore = path;
  package = simple "package" (value: isAttrs value && value ? outPath || isPath value) // { merge = lib.mergeOneOption; };
  raw = mkOptionType { name = "raw"; description = "raw value"; descriptionClass = "noun"; merge = lib.mergeOneOption; };
  unspecified = mkOptionType {
    name = "unspecified";
    description = "unspecified value";
    descriptionClass = "noun";
    merge = path: definitions: if length definitions == 1 then (head definitions).value else anything.merge path definitions;
  };
  attrs = mkOptionType {
    name = "attrs";
    description = "attribute set";
    check = isAttrs;
    emptyValue.value = { };
    merge = _: foldl' (all: definition: all // definition.value) { };
  };
  enum = values: mkOptionType {
    name = "enum";
    description = "one of ${builtins.concatStringsSep ", " (map builtins.toJSON values)}";
    descriptionClass = "conjunction";
    check = value: elem value values;
  };
  nullOr = type: mkOptionType {
    name = "nullOr";
    description = "null or ${phrase [ "noun" "conjunction" ] type}";
    descriptionClass = "conjunction";
    check = value: value == null || type.check value;
    emptyValue.value = null;
    merge = path: definitions:
      if all (definition: definition.value == null) definitions then null
      else if any (definition: definition.value == null) definitions then
        throw "The option `${lib.showPath path}' is defined both null and not null."
      else type.merge path definitions;
  };
  oneOf = types: foldl' either (head types) (builtins.tail types);
  attrsOf = type: attrsOfWith { inherit type; lazy = false; };
  lazyAttrsOf = type: attrsOfWith { inherit type; lazy = true; };
  submodule = modules: submoduleWith { modules = lib.toList modules; shorthandOnlyDefinesConfig = true; };
  functionTo = type: mkOptionType {
    name = "functionTo";
    check = lib.isFunction;
    merge = path: definitions: argument:
      type.merge path (map (d: d // { value = d.value argument; }) definitions);
  };
  coercedTo = from: convert: to: mkOptionType {
    name = "coercedTo";
    inherit (to) description;
    check = value: (from.check value && to.check (convert value)) || to.check value;
    merge = path: definitions:
      to.merge path (map (d: d // { value = if from.check d.value then convert d.value else d.value; }) definitions);
  };
  uniq = lib.types.unique { message = ""; };
  unique = { message }: type: type // {
    merge = path: definitions:
      if length definitions == 1 then type.merge path definitions
      else throw "The option `${lib.showPath path}' is defined multiple times while it's expected to be unique. ${message}";
  };
  pkgs = lib.types.unique { message = "A set of packages cannot be joined with another one."; } lib.types.raw // {
    description = "Nixpkgs package set";
    check = value: isAttrs value && value._type or null == "pkgs";
  };
}
