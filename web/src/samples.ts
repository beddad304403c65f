/** A first program for each language: it greets whoever standard input names. */
const samples: Record<string, string> = {
  c: `#include <stdio.h>

int main(void) {
    char name[100];
    if (scanf("%99s", name) == 1) printf("Hello, %s\\n", name);
}
`,
  cpp: `#include <iostream>
#include <string>

int main() {
    std::string name;
    std::cin >> name;
    std::cout << "Hello, " << name << '\\n';
}
`,
  python: `name = input()
print(f"Hello, {name}")
`,
  javascript: `const name = require("fs").readFileSync(0, "utf8").trim();
console.log(\`Hello, \${name}\`);
`,
  typescript: `import * as fs from "fs";

const name: string = fs.readFileSync(0, "utf8").trim();
console.log(\`Hello, \${name}\`);
`,
  java: `import java.util.Scanner;

public class Main {
    public static void main(String[] args) {
        System.out.println("Hello, " + new Scanner(System.in).next());
    }
}
`,
  go: `package main

import "fmt"

func main() {
	var name string
	fmt.Scan(&name)
	fmt.Println("Hello, " + name)
}
`,
  rust: `use std::io;

fn main() {
    let mut name = String::new();
    io::stdin().read_line(&mut name).expect("no input");
    println!("Hello, {}", name.trim());
}
`,
  bash: `read -r name
echo "Hello, $name"
`,
};

export const sampleInput = "world\n";

export function sampleOf(language: string): string {
  return samples[language] ?? "";
}

/** Whether the text is one of the samples, so that changing the language may replace it. */
export function isSample(text: string): boolean {
  return text === "" || Object.values(samples).includes(text);
}
