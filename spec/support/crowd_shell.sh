#!/bin/sh
# The shell of a node, with children of its own.
env -i setsid sleep 1000 &
setsid sleep 1000 &
echo "spaces $(readlink /proc/self/ns/net | tr -dc 0-9)"
echo up
sleep 1000
