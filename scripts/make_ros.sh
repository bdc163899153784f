#!/bin/sh
# Make .venv-ros: Python with ROS 2 Kilted from wheels, and robot_interfaces built into it. `make setup` calls this.
#
# The environment stands by itself and not in .venv, as its packages are many and only the companion's node needs them.
set -eu

cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=.venv-ros
work=$PWD/$venv/build

for program in cmake g++; do
  command -v "$program" >/dev/null || {
    echo "The ROS 2 interfaces need $program: on Debian and Ubuntu, 'apt-get install cmake g++' brings it." >&2
    exit 1
  }
done
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
test -e "$include/Python.h" || {
  echo "The ROS 2 interfaces need Python's headers: on Debian and Ubuntu, 'apt-get install python3-dev' brings them." >&2
  exit 1
}

echo "Setting up $venv; this takes about a minute, once."
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps \
  --requirement ros2/requirements.lock

# The wheels' CMake files name the headers of the machine that built them.
numpy=$("$venv/bin/python" -c 'import numpy; print(numpy.get_include())')
grep -rl --include='*.cmake' '/opt/python/' "$venv/share" | while read -r file; do
  sed -i -e "s#/opt/python/[^;\"]*/numpy/_core/include#$numpy#g" \
    -e "s#/opt/python/[^;\"]*/include/python[0-9.t]*#$include#g" "$file"
done

mkdir "$work"
export PATH="$PWD/$venv/bin:$PATH" AMENT_PREFIX_PATH="$PWD/$venv"
{
  cmake -S ros2/robot_interfaces -B "$work" -DCMAKE_PREFIX_PATH="$PWD/$venv" -DCMAKE_INSTALL_PREFIX="$PWD/$venv" \
    -DPython3_EXECUTABLE="$PWD/$venv/bin/python" -DPython3_FIND_VIRTUALENV=ONLY -DBUILD_TESTING=OFF &&
    cmake --build "$work" --parallel 2 &&
    cmake --install "$work"
} >"$venv/build.log" 2>&1 || {
  tail -n 20 "$venv/build.log" >&2
  echo "robot_interfaces could not be built: the whole log is $venv/build.log." >&2
  exit 1
}
rm -rf "$work"
"$venv/bin/python" -c 'import rclpy; from robot_interfaces.srv import OtaTrigger'
touch "$venv/ready"
