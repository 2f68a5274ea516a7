# Fixed points and package helpers of the miniature library.
# Enters: functions over package sets, packages. Leaves: package sets, packages that can be overridden.
{ lib }:
let
  inherit (builtins) functionArgs intersectAttrs isFunction;

  call = value: argument: if isFunction value then value argument else value;

  # A function whose result remembers how it was called: `.override` calls it again.
  makeOverridable = f: arguments:
    let
      result = f arguments;
      override = lib.setFunctionArgs
        (changes: makeOverridable f (arguments // call changes arguments))
        (lib.functionArgs f);
    in
    if !builtins.isAttrs result then result
    else result // {
      inherit override;
      overrideAttrs = change: makeOverridable (_: (f arguments).overrideAttrs change) arguments // {
        override = lib.setFunctionArgs
          (changes: (makeOverridable f (arguments // call changes arguments)).overrideAttrs change)
          (lib.functionArgs f);
      };
    };
in
rec {
  inherit makeOverridable;

  fix = f: let result = f result; in result;
  extends = overlay: f: final: let prev = f final; in prev // overlay final prev;
  composeExtensions = first: second: final: prev:
    let one = first final prev; in one // second final (prev // one);
  composeManyExtensions = lib.foldr composeExtensions (_: _: { });

  callPackageWith = scope: file: arguments:
    let f = if isFunction file then file else import file; in
    makeOverridable f (intersectAttrs (functionArgs f) scope // arguments);

  # Which output holds what: a package without that output falls back to its first one.
  getOutput = output: package:
    if !(package ? outputs) || package.outputSpecified or false then package
    else package.${output} or package.out or package;
  getBin = getOutput "bin";
  getLib = package: if package ? lib then package.lib else getOutput "out" package;
  getDev = getOutput "dev";
  getExe' = package: name: "${getBin package}/bin/${name}";
  getExe = package: getExe' package (package.meta.mainProgram or (lib.getName package));

  # A profile takes the file of the package with the smaller number. As in the real library, a package
  # comes back whole even when one of its outputs was given.
  setPrio = priority: package:
    if package ? overrideAttrs then package.overrideAttrs (old: { meta = (old.meta or { }) // { inherit priority; }; })
    else package // { meta = (package.meta or { }) // { inherit priority; }; };
  hiPrio = setPrio (-10);
  lowPrio = setPrio 10;
}
