#!/bin/sh
# Runs R: R [ARGUMENT...]
#
# What the start script does that matters here: R's folder, and where Debian puts what is not in it.
r=$1
shift
export R_HOME="${r%/bin/exec/R}" LD_LIBRARY_PATH="${r%/bin/exec/R}/lib"
if [ -d /usr/share/R/share ]; then
  export R_SHARE_DIR=/usr/share/R/share R_INCLUDE_DIR=/usr/share/R/include R_DOC_DIR=/usr/share/R/doc
fi
exec "$r" "$@"
