% Runs Prolog, a goal for swipl -g: SOURCE [ARGUMENT...]
%
% By itself swipl says what is wrong with a clause and goes on, waits for queries at the end, prints "|: " where a program
% reads, and exits with 0 whatever it said. So the source is read first, with its operators, and refused if a clause is not
% Prolog; then it is loaded, with its directives; then what ":- initialization(G, main)" names is run, or main or its like,
% unless a directive calls it or another predicate of the program; and the exit code is 1 after an error. A clause as
% "write(hello), nl." would only be an error; it is taken for the query that it is.
set_prolog_flag(color_term, false), prompt(_, ''),
current_prolog_flag(argv, [Main | Args]), set_prolog_flag(argv, Args),
nb_setval(assay_main, none), nb_setval(assay_module, user), nb_setval(assay_done, false), nb_setval(assay_errors, error),
assertz((user:term_expansion(Goal, (:- Goal)) :-
  nonvar(Goal), memberchk(Goal, [(_, _), write(_), writeln(_), print(_), format(_), format(_, _), nl]))),
open(Main, read, In, [encoding(utf8)]),
( peek_string(In, 2, "#!") -> skip(In, 0'\n) ; true ),
catch(
  ( repeat,
    nb_getval(assay_errors, Errors),
    read_term(In, Term, [module(user), syntax_errors(Errors)]),
    ( Term == end_of_file -> true
    ; ( Term = (:- D) ; Term = (?- D) ), nonvar(D) ->
      ( D = op(_, _, _) -> catch(user:D, _, true), fail
      ; D = module(Name, Exports), is_list(Exports) ->
        nb_setval(assay_module, Name),
        forall(( member(Op, Exports), Op = op(_, _, _) ), catch(user:Op, _, true)), fail
      ; ( D = use_module(Lib) ; D = use_module(Lib, _) ), nonvar(Lib), Lib = library(_) -> catch(user:D, _, true), fail
      ; D = initialization(G, main) -> nb_setval(assay_main, G), nb_setval(assay_done, true), fail
      ; ( ( occurs:sub_term(Part, D), Part == main ; D = initialization(_)
          ; ( D = (Call, _) ; D = Call ), callable(Call), \+ predicate_property(user:Call, visible) )
        -> nb_setval(assay_done, true) ; true ),
        % What these load may define operators, so only the loader can tell what is wrong behind them.
        memberchk(D, [[_ | _], consult(_), ensure_loaded(_), include(_), use_module(_), use_module(_, _)]),
        nb_setval(assay_errors, quiet), fail
      )
    ; fail
    )
  -> true ; true ),
  error(syntax_error(What), Where),
  ( print_message(error, error(syntax_error(What), Where)), halt(3) )),
close(In),
load_files(user:Main, []),
nb_getval(assay_main, Wanted), nb_getval(assay_done, Done), nb_getval(assay_module, Module),
( Wanted \== none -> Run = Wanted
; Done == false, member(Run, [main, start, run, go, hello, hello_world, helloworld]), current_predicate(Module:Run/0) -> true
; Run = true
),
( catch_with_backtrace(Module:Run, E, ( print_message(error, unhandled_exception(E)), halt(2) )) -> true
; print_message(error, format("~q failed", [Run])), halt(1)
),
halt
