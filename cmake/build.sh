#!/usr/bin/env bash
# cmake/build.sh PRESET [TARGET...]: configures build/PRESET and builds it (everything, or the targets named), with as many
# compilers as there are cores and memory for. Warnings stop the build where LLMCTL_WARNINGS_AS_ERRORS=ON says so, as in
# CI; a folder that is configured already keeps its choice. LLMCTL_CMAKE_ARGS are further options for cmake.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1 build=build/$1
shift

mkdir -p "$build"
configure=(cmake "$build")
if [ ! -e "$build/build.ninja" ] || [ -n "${LLMCTL_WARNINGS_AS_ERRORS:-}" ]; then
  configure=(cmake --preset "$preset" "-DLLMCTL_WARNINGS_AS_ERRORS=${LLMCTL_WARNINGS_AS_ERRORS:-OFF}")
fi
# shellcheck disable=SC2086
"${configure[@]}" ${LLMCTL_CMAKE_ARGS:-} >"$build/configure.log" 2>&1 || { tail -n 30 "$build/configure.log" >&2; exit 1; }

# A compiler takes up to 2 GB for a file that includes much of LibTorch.
cores=$(nproc) memory=$(awk '/MemAvailable/ {print int($2 / 2097152)}' /proc/meminfo)
jobs=$((memory < 1 ? 1 : memory < cores ? memory : cores))
exec cmake --build "$build" -j "$jobs" ${@:+--target "$@"}
