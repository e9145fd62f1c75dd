#!/usr/bin/env bash
# Makes sure that the compiler and the C++ libraries are there: installs them from Debian's packages
# when run as root, else says in one line what is missing.
set -eu

packages=()
need_command() { command -v "$1" >/dev/null || packages+=("$2"); }
need_header() { echo "#include <$1>" | g++ -x c++ -std=c++20 -fsyntax-only - 2>/dev/null || packages+=("$2"); }

need_command g++ g++
need_command cmake cmake
need_command ninja ninja-build
need_command clang-format clang-format
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
need_header nlohmann/json.hpp nlohmann-json3-dev
need_header CLI/CLI.hpp libcli11-dev
need_header gtest/gtest.h libgtest-dev
need_header gmock/gmock.h libgmock-dev
need_header benchmark/benchmark.h libbenchmark-dev

[ ${#packages[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "lowtide needs these packages (Debian names): ${packages[*]}" >&2
  exit 1
fi
echo "Installing ${packages[*]} ..."
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq "${packages[@]}" >/dev/null 2>&1 ||
  { apt-get update -qq && apt-get install -y -qq "${packages[@]}" >/dev/null; }
