// Compiles QBasic to main.js: the compiler's folder, and the source.
//
// The compiler knows QBasic. What older BASICs say otherwise (THEN 60, IF .. GOTO 60, ON n GOTO 60, 70) is put into its
// words first, outside of strings and remarks; no line is added before the last, so line numbers in messages stay right. A
// negative number in DATA, which it does not know, goes through it as a string. Two values of PRINT without a separator
// are allowed only beside a string; else it finds two meanings in INT(RND * 6) + 1.
const fs = require("fs");
const [dist, file] = process.argv.slice(1);
for (const rule of require(dist + "/parser/grammar.js").default.ParserRules.filter((r) => r.name === "printArgs")) {
  const make = rule.postprocess;
  const value = (x) => typeof x === "object" && !(x.type === "literal" && typeof x.value === "string");
  rule.postprocess = (d, at, reject) =>
    d[0].some(([x], i) => i > 0 && value(x) && value(d[0][i - 1][0])) ? reject : make(d, at, reject);
}
const modern = (code) => code
  .replace(/\bENDIF\b/gi, "END IF")
  .replace(/\b(THEN|ELSE)(\s*)(\d+)\b/gi, "$1 GOTO $3")
  .replace(/\bIF\b((?:(?!\bTHEN\b)[^:])*?)\bGOTO\b/gi, "IF$1THEN GOTO");
const tail = [];
let next = "";
const lines = fs.readFileSync(file, "utf8").replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).map((line, i) => {
  line = line.replace(/("[^"]*"?|'.*|\bREM\b.*)|((?:(?!\bREM\b)[^"'])+)/gi, (_, fixed, code) => fixed ?? modern(code));
  if (/^\s*(\d+\s*|\w+:\s*)?DATA\b/i.test(line)) line = line.replace(/([A,]\s*)([-+][\d.][\w.]*)/gi, '$1"\x01$2"');
  const numbered = /^\s*(\d+)\b/.exec(line);
  if (next) {
    if (numbered) tail.push("GOTO " + numbered[1]);
    else { line = next + ": " + line; tail.push("GOTO " + next); }
    next = "";
  }
  const on = /^([^"']*?)\bON\s+([^"':]+?)\s+(GOTO|GOSUB)\s+(\w+(?:\s*,\s*\w+)*)\s*$/i.exec(line);
  if (!on) return line;
  const jump = on[3].toUpperCase();
  tail.push("assayon" + i + ":", ...on[4].split(/\s*,\s*/).map((label, n) => `IF assayvalue = ${n + 1} THEN GOTO ${label}`));
  if (jump === "GOTO") next = "assaynext" + i;
  else tail.push("RETURN");
  return `${on[1]}assayvalue = INT(${on[2]}): ${jump} assayon${i}`;
});
if (next) { lines.push(next + ": END"); tail.push("GOTO " + next); }
if (tail.length > 0) lines.push("END", ...tail);
require(dist + "/compile.js").default({ source: lines.join("\n") + "\n", sourceFileName: file })
  .then(({ code }) => fs.writeFileSync("main.js", code.replace(/"\\u0001([^"]*)"/g, (_, n) => Number(n))))
  .catch((e) => {
    process.stderr.write(e.message.trimEnd() + "\n");
    process.exit(1);
  });
