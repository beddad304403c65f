% Compiles and runs Erlang: expressions for erl -eval. The main file is in ASSAY_MAIN; the program's arguments are erl's.
%
% All modules of the submission are compiled; of the main one main/0, main/1 (with the arguments), start/0 or another
% function without arguments is called. A script for escript is one too: its first line is made a comment, and it needs no
% -module. A module that exports nothing exports everything.
Main = os:getenv("ASSAY_MAIN"),
os:unsetenv("ASSAY_MAIN"),
io:setopts([{encoding, unicode}]),
Refuse = fun(Format, Values) -> io:format(standard_error, Format, Values), halt(1) end,
Compile = fun(File) ->
  {ok, Source} = file:read_file(File),
  Script = binary:match(Source, <<"#!">>) =:= {0, 2},
  Script andalso file:write_file(File, [$%, Source]),
  {ok, Forms} = epp:parse_file(File, [{location, {1, 1}}, {source_name, File}]),
  Named = [M || {attribute, _, module, M} <- Forms],
  Exports = [x || {attribute, _, A, _} <- Forms, A =:= export orelse A =:= compile],
  Module = list_to_atom(filename:rootname(filename:basename(File))),
  {Head, Rest} = lists:splitwith(fun({attribute, _, file, _}) -> true; (_) -> false end, Forms),
  All = case Named of
    [] -> Head ++ [{attribute, {1, 1}, module, Module} | Rest];
    _ -> Forms
  end,
  Open = [O || O <- [export_all, nowarn_export_all], Exports =:= [] orelse Named =:= []],
  case compile:forms(All, [return_errors, {source, File} | Open]) of
    {ok, Name, Code} ->
      {module, Name} = code:load_binary(Name, File, Code),
      Name;
    {error, Errors, _} ->
      [io:format(standard_error, "~ts:~ts~ts~n", [F, case At of
          {Line, Column} -> io_lib:format("~w:~w: ", [Line, Column]);
          none -> " ";
          _ -> io_lib:format("~w: ", [At])
        end, By:format_error(What)]) || {F, List} <- Errors, {At, By, What} <- List],
      halt(1)
  end
end,
Name = Compile(Main),
[Compile(F) || F <- filelib:wildcard("*.erl"), F =/= filename:basename(Main)],
Can = Name:module_info(exports),
Known = [{main, 0}, {main, 1}, {start, 0}, {run, 0}, {hello_world, 0}, {hello, 0}, {helloworld, 0}, {go, 0}, {test, 0}, {Name, 0}],
Others = [E || {F, 0} = E <- Can, F =/= module_info],
{Function, Arity} = case [E || E <- Known, lists:member(E, Can)] ++ Others of
  [First | _] -> First;
  [] -> Refuse("~ts: there is no function to call: export main/0, main/1 or start/0~n", [Main])
end,
try apply(Name, Function, lists:duplicate(Arity, init:get_plain_arguments())) of
  _ -> halt(0)
catch
  exit:normal -> halt(0);
  Class:Reason:Stack ->
    Lines = erl_error:format_exception(1, Class, Reason, lists:takewhile(fun({erl_eval, _, _, _}) -> false; (_) -> true end, Stack),
      fun(_, _, _) -> false end, fun(Term, _) -> io_lib:format("~tp", [Term]) end, unicode),
    io:format(standard_error, "~ts~n", [Lines]),
    halt(1)
end.
