package languages

import (
	"os"
	"path/filepath"
	"testing"

	"assay/internal/engine"
)

// TestLibraries: what contests use besides the language itself works at the default limits.
func TestLibraries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, source, stdout string
		options              []string
	}{
		"numpy": {file: "a.py", stdout: "45 54\n", source: `
import numpy as np

m = np.array([[1, 2], [3, 4]])
print(np.arange(10).sum(), (m @ m).sum())
`},
		"pandas": {file: "a.py", stdout: "3.0\n", source: `
import pandas as pd

print(pd.DataFrame({"a": [1, 2, 6]})["a"].mean())
`},
		"bits/stdc++.h": {file: "a.cpp", stdout: "3 2 1 6\n", source: `
#include <bits/stdc++.h>
using namespace std;
int main() {
    vector<int> v{1, 2, 3};
    ranges::reverse(v);
    for (int x : v) cout << x << ' ';
    cout << accumulate(v.begin(), v.end(), 0) << '\n';
}
`},
		"bits/stdc++.h with other options": {file: "a.cpp", stdout: "6\n", options: []string{"standard=23", "optimization=3", "sanitizers=undefined"}, source: `
#include <bits/stdc++.h>
#include <ext/pb_ds/assoc_container.hpp>
int main() {
    __gnu_pbds::tree<int, __gnu_pbds::null_type, std::less<int>, __gnu_pbds::rb_tree_tag, __gnu_pbds::tree_order_statistics_node_update> t;
    for (int i = 0; i < 10; i++) t.insert(i);
    std::cout << *t.find_by_order(6) << '\n';
}
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(file, []byte(test.source), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"run", "--json", "--run-dir", runDir}
			for _, o := range test.options {
				args = append(args, "--option", o)
			}
			var r engine.Result
			command(t, &r, append(args, file)...)
			if r.Stdout != test.stdout || r.Stderr != "" {
				t.Errorf("%+v, compile %+v", r, r.Compile)
			}
		})
	}
}
