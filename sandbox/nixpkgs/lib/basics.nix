# Lists, strings and attribute sets: plain functions, no state, no options.
# Enters: values. Leaves: values. Names and argument order are nixpkgs' own.
let
  inherit (builtins)
    attrNames concatLists concatMap elem elemAt filter foldl' genList head isAttrs isFunction
    isList isString length listToAttrs map match replaceStrings stringLength substring tail
    toString;

  id = value: value;
  flip = f: a: b: f b a;
  const = value: _: value;
  nameValuePair = name: value: { inherit name value; };
  concatStringsSep = builtins.concatStringsSep;
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  filterAttrs = keep: set: removeAttrs set (filter (name: !keep name set.${name}) (attrNames set));
  optionals = condition: list: if condition then list else [ ];
  foldr = f: last: list: if list == [ ] then last else f (head list) (foldr f last (tail list));
  last = list: elemAt list (length list - 1);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text:
    let excess = stringLength text - stringLength suffix; in
    excess >= 0 && substring excess (stringLength suffix) text == suffix;
  attrByPath = path: fallback: set:
    if path == [ ] then set
    else if isAttrs set && set ? ${head path} then attrByPath (tail path) fallback set.${head path}
    else fallback;
  setAttrByPath = path: value:
    if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };
  recursiveUpdate = left: right:
    left // builtins.mapAttrs
      (name: value:
        if isAttrs value && isAttrs (left.${name} or null) then recursiveUpdate left.${name} value else value)
      right;
  escapeShellArg = arg:
    let text = toString arg; in
    if match "[[:alnum:],._+:@%/-]+" text != null then text
    else "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
in
{
  inherit
    attrByPath attrNames concatLists concatMap concatStringsSep const elem elemAt escapeShellArg
    filter filterAttrs flip foldl' foldr genList hasPrefix hasSuffix head id isAttrs isList isString
    last length listToAttrs mapAttrs' mapAttrsToList nameValuePair optionals recursiveUpdate
    replaceStrings setAttrByPath stringLength substring tail;
  inherit (builtins) attrValues mapAttrs isInt isBool all any catAttrs sort zipAttrsWith;

  isFunction = value: isFunction value || (isAttrs value && value ? __functor);
  functionArgs = f:
    if f ? __functor then f.__functionArgs or (builtins.functionArgs (f.__functor f))
    else builtins.functionArgs f;
  setFunctionArgs = f: args: { __functor = _: f; __functionArgs = args; };

  # Attribute sets.
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  getAttrs = names: set: listToAttrs (map (name: nameValuePair name set.${name}) names);
  optionalAttrs = condition: set: if condition then set else { };
  concatMapAttrs = f: set: foldl' (all: name: all // f name set.${name}) { } (attrNames set);
  hasAttrByPath = path: set: attrByPath path null set != null;
  isDerivation = value: isAttrs value && value.type or null == "derivation";

  # Lists.
  optional = condition: value: optionals condition [ value ];
  toList = value: if isList value then value else [ value ];
  unique = foldl' (seen: value: if elem value seen then seen else seen ++ [ value ]) [ ];
  subtractLists = gone: filter (value: !elem value gone);
  intersectLists = wanted: filter (value: elem value wanted);
  range = first: final: if first > final then [ ] else genList (n: first + n) (final - first + 1);
  flatten = value: if isList value then concatMap (x: if isList x then concatLists [ x ] else [ x ]) value else [ value ];
  forEach = flip map;
  findFirst = wanted: fallback: list:
    let found = filter wanted list; in if found == [ ] then fallback else head found;

  # Strings.
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatLines = list: concatStringsSep "" (map (line: line + "\n") list);
  optionalString = condition: text: if condition then text else "";
  splitString = separator: text:
    filter isString (builtins.split (builtins.replaceStrings [ "." "+" "*" "|" ] [ "\\." "\\+" "\\*" "\\|" ] separator) text);
  hasInfix = infix: text: match ".*${replaceStrings [ "." "+" "*" ] [ "\\." "\\+" "\\*" ] infix}.*" text != null;
  removeSuffix = suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  toUpper = replaceStrings
    [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ]
    [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ];
  boolToString = value: if value then "true" else "false";
  escapeShellArgs = list: concatStringsSep " " (map escapeShellArg list);
  versionOlder = version: limit: builtins.compareVersions version limit < 0;
  versionAtLeast = version: wanted: !builtins.lessThan (builtins.compareVersions version wanted) 0;
  getVersion = package: package.version or (builtins.parseDrvName package.name).version;
  getName = package: package.pname or (builtins.parseDrvName package.name).name;
  versions = {
    major = version: head (builtins.splitVersion version);
    majorMinor = version: concatStringsSep "." (builtins.genList (elemAt (builtins.splitVersion version)) 2);
  };

  # Messages.
  throwIf = condition: message: value: if condition then throw message else value;
  throwIfNot = condition: message: value: if condition then value else throw message;
  assertMsg = condition: message: if condition then true else throw message;
  warn = message: value: builtins.trace "warning: ${message}" value;
  importJSON = path: builtins.fromJSON (builtins.readFile path);
}
