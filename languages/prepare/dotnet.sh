#!/bin/sh
# Lays out the script that compiles C#, F# and Visual Basic: with the compilers of a .NET SDK, called without `dotnet build`,
# which would need packages and seconds; and C# with Mono's compiler too. For the latter, later forms that short programs
# often have are rewritten.
#
#   languages/prepare/dotnet.sh TARGET       (for instance /usr/local/lib/assay/dotnet)
set -eu

target=${1:?which folder?}
# The layout of the folder: raised with every change of what is written below.
layout=2

if [ "$(cat "$target/STAMP" 2>/dev/null)" = "layout $layout" ]; then
	exit 0
fi
mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT

cat >"$new/build" <<'SCRIPT'
#!/bin/sh
# build LANGUAGE COMPILER OPTION... -- FILE...: compiles one program to main.exe in the working folder. COMPILER is the
# dotnet command, or Mono's mcs.
set -ef
here=$(dirname "$0")
language=$1 compiler=$2
shift 2
options=
while [ "$1" != -- ]; do
	options="$options $1"
	shift
done
shift

# What the templates of .NET's own projects import.
usings='System System.Collections.Generic System.IO System.Linq System.Threading System.Threading.Tasks'

mono() {
	if ! grep -qE '(^|[^A-Za-z0-9_])Main[[:space:]]*\(' -- "$@"; then
		# Statements outside of any class.
		awk -v file="$1" -v usings="$usings" -f "$here/toplevel.awk" "$1" >/tmp/program.cs
	else
		# A namespace for the whole file, and a Main that is awaited.
		modifiers='((public|private|internal|static)[[:space:]]+)*async[[:space:]]+(static[[:space:]]+)?(System\.Threading\.Tasks\.)?'
		sed -E \
			-e '/^namespace[[:space:]]+[A-Za-z0-9_.]+[[:space:]]*;/{s/;/ {/;h;}' \
			-e "s/${modifiers}Task[[:space:]]+Main[[:space:]]*\(([^)]*)\)/static void Main(\5) { MainAsync__(@\5@).GetAwaiter().GetResult(); } static async System.Threading.Tasks.Task MainAsync__(\5)/" \
			-e "s/${modifiers}Task<int>[[:space:]]+Main[[:space:]]*\(([^)]*)\)/static int Main(\5) { return MainAsync__(@\5@).GetAwaiter().GetResult(); } static async System.Threading.Tasks.Task<int> MainAsync__(\5)/" \
			-e '/MainAsync__\(@/s/@([^@]*[[:space:]])?([A-Za-z0-9_]*)@/\2/' \
			-e '${x;/./{x;s/$/ }/;x;};x;}' "$1" >/tmp/program.cs
	fi
	# Its messages name the file.
	mv -f /tmp/program.cs "$1"
	# 105: a namespace is imported twice.
	exec "$compiler" -langversion:experimental -nowarn:105 $options \
		-r:System.Core -r:System.Numerics -r:Microsoft.CSharp -out:main.exe "$@"
}

dotnet() {
	set +f
	root=$(dirname "$(readlink -f "$compiler")")
	sdk=$(ls -d "$root"/sdk/[0-9]* | sort -V | tail -n 1)
	reference=$(ls -d "$root"/packs/Microsoft.NETCore.App.Ref/*/ref/net* | sort -V | tail -n 1)
	version=$(ls "$root/shared/Microsoft.NETCore.App" | sort -V | tail -n 1)
	ls "$reference"/*.dll | sed 's/.*/-r:"&"/' >/tmp/references.rsp
	set -f
	printf '{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"%s"}}}\n' "$version" >main.runtimeconfig.json
	case $language in
	csharp)
		for u in $usings System.Net.Http; do
			echo "global using $u;"
		done >/tmp/usings.cs
		exec "$compiler" exec "$sdk/Roslyn/bincore/csc.dll" -nologo -noconfig -nostdlib+ -utf8output -langversion:latest \
			$options -out:main.exe @/tmp/references.rsp /tmp/usings.cs "$@"
		;;
	vb)
		exec "$compiler" exec "$sdk/Roslyn/bincore/vbc.dll" -nologo -noconfig -nostdlib -utf8output -langversion:latest \
			-vbruntime:"$reference/Microsoft.VisualBasic.Core.dll" \
			-imports:Microsoft.VisualBasic,System,System.Collections,System.Collections.Generic,System.Diagnostics,System.Linq,System.Threading.Tasks \
			$options -out:main.exe @/tmp/references.rsp "$@"
		;;
	fsharp)
		cp "$sdk/FSharp/FSharp.Core.dll" .
		# The last file is the program, those before are what it uses.
		set +f
		main=$1
		set --
		for file in *.fs; do
			if [ "$file" != "$main" ] && [ -e "$file" ]; then
				set -- "$@" "$file"
			fi
		done
		exec "$compiler" exec "$sdk/FSharp/fsc.dll" --nologo --noframework --targetprofile:netcore --utf8output \
			$options -o:main.exe "-r:$sdk/FSharp/FSharp.Core.dll" @/tmp/references.rsp "$@" "$main"
		;;
	esac
}

case $(basename "$compiler") in
mcs) mono "$@" ;;
*) dotnet "$@" ;;
esac
SCRIPT

# A C# program of statements outside of any class becomes one that Mono's compiler understands: imports first, then a class
# whose Main holds the statements, with the functions between them as methods, then the types. Line numbers stay.
cat >"$new/toplevel.awk" <<'AWK'
BEGIN {
	count = split(usings, namespaces, " ")
	for (i = 1; i <= count; i++) imports = imports "using " namespaces[i] ";\n"
	kind = "void"
}
{ sub(/\r$/, "") }
part == "" && /^[ \t]*using[ \t]+[A-Za-z_][A-Za-z0-9_. =<>,]*;/ { imports = imports here() $0 "\n"; next }
part == "" && /^[ \t]*(\/\/.*)?$/ { next }
part != "types" && /^((public|internal|static|abstract|sealed|partial|readonly|unsafe)[ \t]+)*(class|struct|interface|enum|namespace|delegate)[ \t]/ {
	part = "types"
	types = here()
}
part == "types" { types = types $0 "\n"; next }
part != "function" && function_starts($0) {
	part = "function"
	depth = 0
	opened = 0
	functions = functions here() ($0 ~ /^static[ \t]/ ? "" : "static ")
}
part == "function" {
	functions = functions $0 "\n"
	text = $0
	depth += gsub(/{/, "", text)
	if (depth > 0) opened = 1
	depth -= gsub(/}/, "", text)
	if (depth == 0 && (opened || $0 ~ /;[ \t]*$/)) part = "ended"
	next
}
{
	if (part != "statements") statements = statements here()
	part = "statements"
	statements = statements $0 "\n"
	if ($0 ~ /(^|[^A-Za-z0-9_])await[ \t]/) waits = 1
	if (kind == "void" && $0 ~ /^ ? ? ? ?return[ \t]+[^;]+;/) kind = "int"
}
END {
	print imports
	print "static class Program__ {\n" functions
	if (waits) print "static void Main(string[] args) { MainAsync__(args).GetAwaiter().GetResult(); }"
	print "static " (waits ? "async System.Threading.Tasks.Task MainAsync__" : kind " Main") "(string[] args) {\n" statements "}\n}"
	print types
}
function here() { return "#line " NR " \"" file "\"\n" }
# A type, a name, parameters, and nothing after them but the body.
function function_starts(line) {
	if (line ~ /^(return|throw|new|await|else|if|while|for|foreach|switch|lock|using|var|yield|do|goto|case)[ \t(]/) return 0
	return line ~ /^((static|async|unsafe)[ \t]+)*[A-Za-z_][A-Za-z0-9_<>,.?\[\]]*([ \t]*<.*>|\(.*\))?[ \t]+[A-Za-z_][A-Za-z0-9_]*(<[^>]*>)?[ \t]*\([^;=]*\)[ \t]*(where[ \t].*)?(=>.*|{.*)?$/
}
AWK

printf 'layout %s\n' "$layout" >"$new/STAMP"
chmod 755 "$new" "$new/build"
rm -rf "$target"
mv "$new" "$target"
trap - EXIT
