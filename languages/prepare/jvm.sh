#!/bin/bash
# Archives the classes that a language of the Java virtual machine loads at every start (class data sharing), so that its
# compiler and its programs start in about half the time. Does nothing when the archives already belong to this virtual
# machine and these libraries. Without archives, or with stale ones, the virtual machine silently reads the classes as usual.
#
#   languages/prepare/jvm.sh TARGET       the last element of TARGET is the language: kotlin, scala, groovy or clojure
#                                         (for instance /usr/local/lib/assay/kotlin; $JAVA names the java command)
set -eu

target=${1:?which folder?}
language=$(basename "$target")
# The layout of the folder: raised when the script makes something different of the same tools.
layout=2

# first FILE...: the first that exists.
first() {
	for file; do
		if [ -e "$file" ]; then
			echo "$file"
			return
		fi
	done
	echo "jvm.sh: none of these exists: $*" >&2
	return 1
}

java=${JAVA:-$(first /usr/bin/java /usr/lib/jvm/default-java/bin/java)}
share=/usr/share/java
case $language in
kotlin)
	lib=$(dirname "$(first /usr/local/lib/node_modules/kotlin-compiler/lib/kotlin-compiler.jar \
		/usr/local/kotlinc/lib/kotlin-compiler.jar /opt/kotlinc/lib/kotlin-compiler.jar)")
	compiler=$lib/kotlin-compiler.jar
	run=$lib/kotlin-stdlib.jar:$lib/kotlin-reflect.jar:$lib/kotlinx-coroutines-core-jvm.jar
	;;
scala)
	compiler=$share/scala-compiler.jar:$share/scala-library.jar:$share/scala-reflect.jar:$share/scala-xml_2.11.jar:$share/scala-parser-combinators_2.11.jar
	run=$share/scala-library.jar:$share/scala-reflect.jar:$share/scala-xml_2.11.jar:$share/scala-parser-combinators_2.11.jar
	;;
groovy)
	compiler=
	run=$share/groovy-all.jar
	;;
clojure)
	compiler=
	run=$(first $share/clojure-1.12.jar $share/clojure-1.11.jar $share/clojure-1.10.jar):$share/spec.alpha.jar:$share/core.specs.alpha.jar
	;;
*)
	echo "jvm.sh: the target must end in kotlin, scala, groovy or clojure: $target" >&2
	exit 2
	;;
esac

IFS=: read -r -a jars <<<"$compiler${compiler:+:}$run"
stamp="$("$java" -version 2>&1; ls -lL "$(readlink -f "$java")" "${jars[@]}") layout $layout"
if [ "$(cat "$target/STAMP" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/train"
cd "$new/train"

# The flags that an archive depends on are those of languages/*.yaml.
common=(-XX:+UseSerialGC -XX:-UsePerfData -Xlog:disable)
compile=("${common[@]}" -Xmx512m -Xss8m -XX:TieredStopAtLevel=1)

# list NAME ARGS...: notes which classes a run loads.
list() {
	name=$1
	shift
	printf '3\n' | "$java" "${common[@]}" -Xshare:off -XX:DumpLoadedClassList="$new/train/$name.list" "$@" one two >/dev/null
}

# dump ARGS...: archives those of the listed classes that come from the libraries.
dump() {
	"$java" "${common[@]}" -Xshare:dump -XX:SharedClassListFile="$new/train/run.list" -XX:SharedArchiveFile="$new/run.jsa" "$@" >/dev/null
}

case $language in
kotlin)
	cat >main.kt <<'KOTLIN'
import kotlinx.coroutines.*
import kotlin.concurrent.thread

data class Point(val x: Int, val y: Double)
sealed class Shape { object None : Shape(); class Some(val name: String) : Shape() }

fun main(args: Array<String>) {
    val n = readLine()!!.trim().toInt()
    val names = mutableMapOf<String, Int>()
    for ((i, a) in args.withIndex()) names.getOrPut(a) { i }
    println((1..n).map { it * it }.filter { it > 1 }.sortedDescending().joinToString(", ") { "<$it>" })
    println("$names ${Point(1, 2.5)} ${"%.2f".format(1.5)} ${setOf(1, 2)} ${"a b".split(" ")}")
    thread { println(Thread.currentThread().isDaemon) }.join()
    when (val s: Shape = Shape.Some("x")) { is Shape.Some -> println(s.name); else -> println() }
    println(generateSequence(1) { it + 1 }.take(3).toList() + listOf(4).groupBy { it }.keys)
    runBlocking { println(async { delay(1); n }.await()) }
    println(generateSequence(::readLine).count())
}
KOTLIN
	"$java" "${compile[@]}" -XX:ArchiveClassesAtExit="$new/compiler.jsa" -cp "$compiler" \
		org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -nowarn -no-stdlib -no-reflect -classpath "$run" -d . main.kt
	list run -cp "$run:." MainKt
	dump -cp "$run"
	;;
scala)
	cat >main.scala <<'SCALA'
import scala.collection.mutable
import scala.concurrent.{Await, Future}
import scala.concurrent.duration._
import scala.concurrent.ExecutionContext.Implicits.global
import scala.io.StdIn

case class Point(x: Int, y: Double)

object Train extends App {
  val n = StdIn.readLine().trim.toInt
  val names = mutable.Map[String, Int]()
  for ((a, i) <- args.zipWithIndex) names(a) = i
  println((1 to n).map(i => i * i).filter(_ > 1).sorted.reverse.mkString(", "))
  println(s"$names ${Point(1, 2.5)} ${List(1, 2).sum} ${Set(1, 2)} ${Vector(1)} ${"a b".split(" ").toList}")
  println(f"${1.5}%.2f")
  println(Await.result(Future { n }, 10.seconds))
  println(io.Source.stdin.getLines().length)
}
SCALA
	"$java" "${compile[@]}" -XX:ArchiveClassesAtExit="$new/compiler.jsa" -cp "$compiler" \
		scala.tools.nsc.Main -usejavacp -d main.jar main.scala
	list run "-Xbootclasspath/a:$run" -jar main.jar
	dump "-Xbootclasspath/a:$run"
	;;
groovy)
	cat >main.groovy <<'GROOVY'
class Point { int x; double y; String toString() { "($x, $y)" } }
def names = [:]
args.eachWithIndex { a, i -> names[a] = i }
println((1..3).collect { it * it }.findAll { it > 1 }.sort().reverse().join(', '))
println "$names ${new Point(x: 1, y: 2.5)} ${[1, 2].sum()} ${'a b'.split(' ').toList()}"
printf('%.2f\n', 1.5)
Thread.start { println 'thread' }.join()
System.in.eachLine { println it }
GROOVY
	printf '3\n' | "$java" "${common[@]}" -XX:ArchiveClassesAtExit="$new/run.jsa" -cp "$run" \
		groovy.ui.GroovyMain main.groovy one two >/dev/null
	;;
clojure)
	# Runs a file as clojure.main does, with a few differences. What the reader cannot read is refused before anything has
	# run, as a compiler would do it. And a program that defines -main but never calls it, as projects do, gets it called.
	cat >"$new/run.clj" <<'CLOJURE'
(ns assay.run
  (:import (clojure.lang LispReader$Resolver LineNumberingPushbackReader)
           (java.io FileInputStream InputStreamReader)))

(defn- reader [file]
  (LineNumberingPushbackReader. (InputStreamReader. (FileInputStream. ^String file) "UTF-8")))

;; Reading must not depend on what the forms before would have defined: any alias is one, any tag has a reader.
(def ^:private lenient
  (reify LispReader$Resolver
    (currentNS [_] 'user)
    (resolveClass [_ s] s)
    (resolveAlias [_ s] s)
    (resolveVar [_ s] s)))

(defn- refuse [file ^LineNumberingPushbackReader in ^Throwable e]
  (binding [*out* *err*]
    (println (str "Syntax error reading source at (" file ":" (.getLineNumber in) ":" (.getColumnNumber in) ").\n"
                  (.getMessage e))))
  (System/exit 1))

(defn- check [file]
  (with-open [in ^LineNumberingPushbackReader (reader file)]
    (binding [*reader-resolver* lenient, *default-data-reader-fn* tagged-literal]
      (try
        (loop []
          (when-not (identical? ::end (binding [*read-eval* false] (read {:eof ::end :read-cond :allow} in)))
            (recur)))
        (catch Exception e
          ;; #= and the like are for the program itself.
          (when (re-find #"EOF while reading|Unmatched delimiter|Invalid (token|number|character)|Unsupported (escape )?character|map literal must contain" (str (.getMessage e)))
            (refuse file in e)))))))

(let [[file & args] *command-line-args*
      known (set (all-ns))]
  (check file)
  (in-ns 'user)
  (set! *command-line-args* args)
  (try
    (clojure.main/load-script file)
    (when-not (re-find #"\(\s*(apply\s+)?-main\b|#'-main\b" (slurp file))
      (when-let [main (some #(get (ns-publics %) '-main) (cons (the-ns 'user) (remove known (all-ns))))]
        (apply main args)))
    (flush)
    ;; Or a program that used a future ends a minute late.
    (shutdown-agents)
    (catch Throwable e
      (flush)
      ;; clojure.main would put a report into a file, and its name below the message.
      (binding [*out* *err*]
        (print (clojure.main/ex-str (clojure.main/ex-triage (Throwable->map e))))
        (flush))
      (System/exit 1))))
CLOJURE
	cat >main.clj <<'CLOJURE'
(ns train.core (:require [clojure.string :as str] [clojure.set :as set]))
(defrecord Point [x y])
(defn square [x] (* x x))
(defn -main [& args]
  (println (str/join ", " (map square (filter even? (range 5)))))
  (println (->Point 1 2.5) (set/union #{1} #{2}) (zipmap args (range)) (format "%.2f" 1.5))
  (println @(future (reduce + [1 2 3])))
  (doseq [line (line-seq (java.io.BufferedReader. *in*))] (println line))
  (shutdown-agents))
CLOJURE
	printf '3\n' | "$java" "${common[@]}" -XX:ArchiveClassesAtExit="$new/run.jsa" -cp "$run" \
		clojure.main "$new/run.clj" main.clj one two >/dev/null
	;;
esac

cd /
rm -rf "$new/train"
chmod -R a+rX "$new"
chmod 755 "$new"
printf '%s\n' "$stamp" >"$new/STAMP"
rm -rf "$target"
mv "$new" "$target"
trap - EXIT
