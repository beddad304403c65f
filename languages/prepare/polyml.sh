#!/bin/sh
# Lays out the program that runs Standard ML files with Poly/ML.
#
#   languages/prepare/polyml.sh TARGET       (for instance /usr/local/lib/assay/polyml)
set -eu

target=${1:?which folder?}
# The layout of the folder: raised with every change of what is written below.
layout=1

if [ "$(cat "$target/STAMP" 2>/dev/null)" = "layout $layout" ]; then
	exit 0
fi
mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT

cat >"$new/run" <<'SCRIPT'
#!/bin/sh
# run POLY HEAP_MIB FILE ARG...: arguments travel in the environment, or poly would take some of them for its own.
poly=$1 heap=$2
export ASSAY_FILE="$3" ASSAY_ARGS=
shift 3
for arg; do
	ASSAY_ARGS=$ASSAY_ARGS$arg$(printf '\037')
done
exec "$poly" --gcthreads 1 --maxheap "$heap" -q --error-exit --use "$(dirname "$0")/run.sml"
SCRIPT

cat >"$new/run.sml" <<'SML'
(* Runs one file as a program: nothing is printed but what it prints. What the compiler refuses is refused before anything
   has run where that is possible, and a main that the program defines but does not call is called. *)
local
  val file = valOf (OS.Process.getEnv "ASSAY_FILE")
  val args = String.fields (fn c => c = #"\031") (valOf (OS.Process.getEnv "ASSAY_ARGS"))
  val args = List.take (args, length args - 1)

  (* After the program's own last actions: OS.Process.exit would then wait 0.4 s for threads that are idle. *)
  val status = ref OS.Process.success
  val unfinished = ref ([] : (unit -> unit) list)
  val original = OS.Process.exit
  val () = OS.Process.atExit (fn () =>
    (app (fn flush => flush () handle _ => ()) (!unfinished);
     TextIO.flushOut TextIO.stdOut; TextIO.flushOut TextIO.stdErr; OS.Process.terminate (!status)))
  fun finishing flush s = (unfinished := (fn () => flush s) :: !unfinished; s)
  fun finish s = (status := s; original s)

  fun say text = TextIO.output (TextIO.stdErr, text)

  (* Poly/ML wants the bytes of UTF-8 in strings to be written as \ddd. *)
  fun escaped c = if ord c < 128 then str c else "\\" ^ Int.toString (ord c)
  fun contents name =
    let val s = TextIO.openIn name in String.translate escaped (TextIO.inputAll s before TextIO.closeIn s) end

  val source = contents file

  val space = PolyML.globalNameSpace

  (* The end of the file is a bell in the compiler's messages. *)
  fun plain c = if c = #"\007" then "the end of the file" else str c

  (* Compiles a text declaration by declaration, and gives each one's code to "run". With "continue" one that is
     wrong does not stop it. *)
  fun compile {file, text, messages, run, continue} =
    let
      val at = ref 0
      val line = ref 1
      fun next () =
        if !at >= size text then NONE
        else
          let val c = String.sub (text, !at)
          in at := !at + 1; if c = #"\n" then line := !line + 1 else (); SOME c end
      fun report {message, hard, location : PolyML.location, context} =
        let
          val buffer = ref []
          fun keep s = buffer := s :: !buffer
        in
          PolyML.prettyPrint (keep, 120) message;
          messages (hard, String.translate plain (concat [file, ":", FixedInt.toString (#startLine location), ": ",
            if hard then "error: " else "warning: ", concat (rev (!buffer)),
            case context of NONE => "" | SOME c => (buffer := []; PolyML.prettyPrint (keep, 120) c; "near " ^ concat (rev (!buffer)))]))
        end
      fun enter {fixes, types, signatures, structures, functors, values} =
        (app (#enterFix space) fixes; app (#enterType space) types; app (#enterSig space) signatures;
         app (#enterStruct space) structures; app (#enterFunct space) functors; app (#enterVal space) values)
      fun loop () =
        if !at >= size text then ()
        else
          ((run (PolyML.compiler (next,
             [PolyML.Compiler.CPLineNo (fn () => !line), PolyML.Compiler.CPFileName file,
              PolyML.Compiler.CPErrorMessageProc report, PolyML.Compiler.CPOutStream (fn _ => ()),
              PolyML.Compiler.CPResultFun enter])))
           handle e => if continue then () else raise e;
           loop ())
    in
      loop ()
    end

  fun compiles text =
    (compile {file = file, text = text, messages = fn _ => (), run = fn _ => (), continue = false}; true) handle _ => false

  fun show (hard, text) = if hard then say text else ()

  (* The parser's own complaints are all like this; others may be only for the lack of what has not run yet. *)
  fun ofParser text =
    String.isSubstring "expected but" text orelse String.isSubstring "end of file" text
      orelse String.isSubstring "nterminated" text

  fun parse () =
    let
      val refused = ref false
      fun note (hard, text) = if hard andalso ofParser text then (refused := true; say text) else ()
    in
      compile {file = file, text = source, messages = note, run = fn _ => (), continue = true};
      if !refused then finish OS.Process.failure else ()
    end

  fun uncaught e = (TextIO.flushOut TextIO.stdOut; say ("Uncaught exception: " ^ exnMessage e ^ "\n"); finish OS.Process.failure)

  fun execute text =
    compile {file = file, text = text, messages = show, run = fn code => (code () handle e => uncaught e), continue = false}

  fun load name = compile {file = name, text = contents name, messages = show, run = fn code => code (), continue = false}

  (* How often a name stands in the source. *)
  fun count name =
    length (List.filter (fn word => word = name)
      (String.tokens (fn c => not (Char.isAlphaNum c orelse c = #"_" orelse c = #"'")) source))

  fun callMain () =
    if count "main" <> 1 orelse not (isSome (#lookupVal space "main")) then ()
    else
      case List.find compiles ["val _ = main ();", "val _ = main (CommandLine.name (), CommandLine.arguments ());",
                               "val _ = main (CommandLine.arguments ());"] of
        NONE => ()
      | SOME call => execute call
in
  structure CommandLine = struct fun name () = file fun arguments () = args end
  structure OS = struct open OS structure Process = struct open OS.Process val exit = fn s => finish s end end
  structure TextIO = struct
    open TextIO
    val openOut = finishing flushOut o openOut
    val openAppend = finishing flushOut o openAppend
  end
  structure BinIO = struct
    open BinIO
    val openOut = finishing flushOut o openOut
    val openAppend = finishing flushOut o openAppend
  end
  val use = load
  val () = PolyML.print_depth 0
  val assay_run = fn () =>
    let
      val whole = "structure Program__ = struct " ^ source ^ "\nend;"
    in
      (* As one declaration, all of it is compiled before any of it runs. Expressions between the declarations, functors
         and signatures cannot be in one: such a program is compiled and run piece by piece. *)
      if compiles whole then (execute whole; execute "open Program__;")
      else (parse (); execute source handle Fail _ => finish OS.Process.failure);
      callMain ();
      finish OS.Process.success
    end
end;
val () = assay_run ();
SML

printf 'layout %s\n' "$layout" >"$new/STAMP"
chmod 755 "$new" "$new/run"
chmod -R a+rX "$new"
rm -rf "$target"
mv "$new" "$target"
trap - EXIT
