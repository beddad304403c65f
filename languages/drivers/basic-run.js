// Runs main.js, which basic-compile.js made; the argument is the compiler's folder.
//
// The library's own platform is a terminal: it wants to set raw mode, writes colours, and waits after each statement. This
// one reads and writes plain streams.
const fs = require("fs");
const dist = process.argv[1];
const { RuntimePlatform } = require(dist + "/runtime/runtime.js");
const Executor = require(dist + "/runtime/executor.js").default;
const { default: Runtime } = require(dist + "/runtime/runtime.js");
const print = Runtime.prototype.print;
// A comparison is a JavaScript boolean, which the library does not print.
Runtime.prototype.print = function (format, ...args) {
  return print.call(this, format, ...args.map((a) => (typeof a?.value === "boolean" ? { ...a, value: a.value ? -1 : 0 } : a)));
};
const builtins = require(dist + "/runtime/builtins.js");
// TAB moves a cursor before the rest of its PRINT is written; here it is a mark, and print makes spaces of it.
for (const fn of builtins.BUILTIN_FNS.filter((f) => f.name === "tab")) {
  fn.run = async (to) => `\x02${Math.max(1, to) - 1}\x03`;
}
// SLEEP asks for a key again and again; here it waits, and without a time there is no key to wait for.
for (const sub of builtins.BUILTIN_SUBS.filter((s) => s.name === "sleep")) {
  sub.run = (...args) => args.pop().platform.delay(args.length > 0 ? args[0] * 1e6 : 0);
}
const chunk = Buffer.alloc(65536);
let input = Buffer.alloc(0), ended = false, output = "", column = 0, waits = false;
const flush = () => {
  let data = Buffer.from(output);
  output = "";
  while (data.length > 0) data = data.subarray(fs.writeSync(1, data));
};
const more = () => {
  const n = fs.readSync(0, chunk);
  if (n === 0) ended = true;
  else input = Buffer.concat([input, chunk.subarray(0, n)]);
};
class Streams extends RuntimePlatform {
  defaultStmtExecutionDelayUs = 0;
  async loadCompiledModule(code) {
    const module = { exports: {} };
    new Function("module", "exports", "require", code)(module, module.exports, require);
    return module.exports.default ?? module.exports;
  }
  async delay(us) { flush(); await new Promise((done) => setTimeout(done, us / 1000)); }
  async print(s) {
    for (const part of s.split(/(\x02\d+\x03)/)) {
      let text = part;
      if (part[0] === "\x02") {
        const to = parseInt(part.slice(1));
        text = column > to ? "\n" + " ".repeat(to) : " ".repeat(to - column);
      }
      const line = text.lastIndexOf("\n");
      column = line < 0 ? column + text.length : text.length - line - 1;
      output += text;
    }
    if (s.includes("\n") || output.length > 8192) flush();
  }
  async inputLine() {
    flush();
    let end, from = 0;
    while ((end = input.indexOf(10, from)) < 0 && !ended) { from = input.length; more(); }
    if (end < 0) {
      if (input.length === 0) throw new Error("Input past end of file");
      end = input.length;
    }
    const line = input.subarray(0, end).toString().replace(/\r$/, "");
    input = input.subarray(end + 1);
    column = 0;
    return line;
  }
  async getChar() {
    flush();
    if (input.length === 0 && !ended) more();
    // Where no more can come, whoever waits for a key gets one.
    if (input.length === 0) return (waits = !waits) ? null : "\r";
    const size = input[0] < 0xc0 ? 1 : input[0] < 0xe0 ? 2 : input[0] < 0xf0 ? 3 : 4;
    while (input.length < size && !ended) more();
    const c = input.subarray(0, size).toString();
    input = input.subarray(size);
    return c === "\n" ? "\r" : c;
  }
  async moveCursorTo() {}
  async getCursorPosition() { return { x: column, y: 0 }; }
  async getScreenSize() { return { rows: 25, cols: 80 }; }
  async setCursorVisibility() {}
  async clearScreen() {}
  async setFgColor() {}
  async setBgColor() {}
  async beep() {}
}
new Executor(new Streams()).executeModule(fs.readFileSync("main.js", "utf8")).then(flush, (e) => {
  flush();
  process.stderr.write((e.stack && !e.message ? e.stack : e.message) + "\n");
  process.exit(1);
});
