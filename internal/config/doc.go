// Package config holds the settings of assay: one struct, and one table that gives every setting its name, default,
// bounds and documentation. Flags, environment variables, the file assay.yaml, --help and docs/configuration.md all
// come from that table.
//
// A setting named x-y is the flag --x-y, the variable ASSAY_X_Y and the key x-y of assay.yaml. A flag wins over the
// environment, the environment over the file, the file over the default.
//
// What belongs here: settings of the process. What a single run may ask for (its limits, its options) does not.
package config
