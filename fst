#!/usr/bin/env bash
# Starts the fst command: from an installation, or from the source tree, where it builds the command first if that is needed.
#   FST_JAVA_HOME    a JDK 25 or newer, instead of the first one found
#   FST_JAVA_OPTS    options for the JVM, such as -Xmx64m
#   FST_MODULE_PATH  more jars or directories of jars: backends and process groups of your own
#   FST_CACHE_DIR    where the cache of loaded classes goes: otherwise ~/.cache/fst, or the target folder of a source tree
set -euo pipefail

self=${BASH_SOURCE[0]}
while [[ -L $self ]]; do
    link=$(readlink "$self")
    [[ $link == /* ]] && self=$link || self=${self%/*}/$link
done
[[ $self == */* ]] || self=./$self
root=$(cd "${self%/*}" && pwd -P)
# The jars are in lib of this folder, and the Java runtime, if it came along, in runtime.
if [[ -f $root/fst-cli/pom.xml ]]; then
    home=$root/fst-cli/target
    target=$home
elif [[ -d ${root%/*}/lib/fst/lib ]]; then
    home=${root%/*}/lib/fst
else
    home=$root
fi
lib=$home/lib

# Sets $version of the JDK in directory $1 from its release file, which is faster than starting it.
jdk_version() {
    local line
    version=
    [[ -x $1/bin/java && -r $1/release ]] || return 1
    while IFS= read -r line; do
        if [[ $line == JAVA_VERSION=* ]]; then
            version=${line#JAVA_VERSION=}
            version=${version//\"/}
            break
        fi
    done <"$1/release"
    [[ ${version%%[!0-9]*} ]] && ((${version%%[!0-9]*} >= 25))
}

find_jdk() {
    local candidate on_path
    if [[ ${FST_JAVA_HOME:-} ]]; then
        jdk_version "$FST_JAVA_HOME" && jdk=$FST_JAVA_HOME && return
        echo "fst: FST_JAVA_HOME=$FST_JAVA_HOME is no JDK 25 or newer" >&2
        exit 1
    fi
    for candidate in "$home/runtime" ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/* /opt/java/* /opt/jdk* \
        "${HOME:-}"/.sdkman/candidates/java/* "${HOME:-}"/.jdks/*; do
        jdk_version "$candidate" && jdk=$candidate && return
    done
    if on_path=$(command -v java); then
        on_path=$(readlink -f "$on_path")
        jdk_version "${on_path%/bin/java}" && jdk=${on_path%/bin/java} && return
    fi
    echo 'fst: needs a JDK 25 or newer and found none; install one, or set FST_JAVA_HOME to it' >&2
    exit 1
}

# Whether the jars are missing, or older than a source. A directory's time tells of deleted files.
is_stale() {
    local jar newest=$lib/fst-cli.jar
    [[ ${target:-} ]] || return 1
    [[ -f $newest ]] || return 0
    for jar in "$lib"/fst-*.jar "$target"/fst-built; do
        [[ $jar -nt $newest ]] && newest=$jar
    done
    [[ $(find "$root"/pom.xml "$root"/fst-*/pom.xml "$root"/fst-*/src/main -newer "$newest" -print -quit) ]]
}

build() {
    local log=$target/fst-build.log
    mkdir -p "$target"
    if command -v flock >/dev/null; then
        # Another fst may be building: wait for it, and look again.
        exec 9>"$target/fst-build.lock"
        flock 9
        if ! is_stale; then
            exec 9>&-
            return
        fi
    fi
    if ! command -v mvn >/dev/null; then
        echo 'fst: needs Maven (mvn) to build itself, and there is none' >&2
        exit 1
    fi
    [[ -f $lib/fst-cli.jar ]] && echo 'building fst (sources changed)…' >&2 || echo 'building fst (first run)…' >&2
    : >"$target/fst-building"
    if ! (cd "$root" && mvn -B -q -ntp -pl fst-cli -am -Dmaven.test.skip -Dformatter.skip package) >"$log" 2>&1 9>&-; then
        tail -n 40 "$log" >&2
        echo "fst: the build failed; all of it is in $log" >&2
        exit 1
    fi
    mv "$target/fst-building" "$target/fst-built"
    rm -f "$target"/fst-*.aot
    exec 9>&-
}

find_jdk
if is_stale; then
    build
elif [[ ! -f $lib/fst-cli.jar ]]; then
    echo "fst: the installation is not complete: there is no $lib/fst-cli.jar" >&2
    exit 1
fi

java=("$jdk/bin/java" -XX:+UseSerialGC -XX:-UsePerfData -Xlog:disable "-Xlog:all=error,aot*=off,cds*=off:stderr"
    -Djdk.console=java.base)
# As on a machine of this size: with a heap over 32 GiB Java uses wider references, and its caches of classes not at all.
[[ $version == 25* ]] && java+=(-XX:MaxRAM=64g)
main=io.fastsafetensors.cli.Main

# All jars in one order: a cache of classes is of one class path.
class_path() {
    local LC_ALL=C IFS=: jars
    jars=("$lib"/*.jar)
    path="${jars[*]}"
}

# Modules of others are put on the module path, next to fst's. A cache of classes knows no other modules.
module_path() {
    local automatic modules=io.fastsafetensors.api
    for automatic in jcuda jocl; do
        [[ -f $lib/$automatic.jar ]] && modules+=,$automatic
    done
    java+=("--enable-native-access=$modules" -p "$lib:$FST_MODULE_PATH")
    main=io.fastsafetensors.cli/$main
}

# A cache of loaded classes halves the start-up. An installation with its own Java runtime brings it along; otherwise it is
# made at the first start, for one Java runtime and one set of jars, which a file beside it names. An empty cache says that
# this runtime could not make one. Java passes over a cache that does not fit, in silence.
find_cache() {
    local caches=${FST_CACHE_DIR:-${target:-}} made_for="$jdk $lib" known='' build='' jar
    if [[ $jdk == "$home/runtime" && -s $home/fst.aot ]]; then
        cache=$home/fst.aot
        return
    fi
    if [[ ! $caches && ( ${XDG_CACHE_HOME:-} == /* || ${HOME:-} == /* ) ]]; then
        caches=${XDG_CACHE_HOME:-$HOME/.cache}/fst
        mkdir -p -m 700 "$caches" 2>/dev/null || :
    fi
    # The files of every build have the time of its version.
    [[ -r $home/build ]] && IFS= read -r build <"$home/build"
    made_for+=" $build"
    cache=$caches/fst-$version.aot
    if [[ -f $cache && -r $cache.lib ]]; then
        IFS= read -r known <"$cache.lib" || :
        for jar in "$lib"/*.jar; do
            [[ $jar -nt $cache ]] && known=
        done
    fi
    [[ $known != "$made_for" ]] || return 0
    if [[ ! $caches || ! -d $caches || ! -w $caches ]]; then
        cache=
        return
    fi
    # In a shell of its own, which keeps to itself what a driver's library does to the process at its end. The
    # configuration goes when the cache is whole.
    (
        "${java[@]}" "-XX:AOTCacheOutput=$cache.$$" "io.fastsafetensors.cli.AotTrainingRun" || :
    ) >"$caches/fst-aot.log" 2>&1 </dev/null
    [[ -s $cache.$$ && ! -e $cache.$$.config ]] && mv "$cache.$$" "$cache" || : >"$cache"
    rm -f "$cache.$$" "$cache.$$.config"
    printf '%s\n' "$made_for" >"$cache.lib"
}

cache=
if [[ ${FST_MODULE_PATH:-} ]]; then
    module_path
else
    class_path
    java+=(--enable-native-access=ALL-UNNAMED -cp "$path")
    find_cache
fi
[[ $cache && -s $cache ]] && java+=("-XX:AOTCache=$cache")

# Commands that end in a moment gain from the quick compiler, and so does a load, whose bytes are moved by the kernel and
# drivers: the good one would take the processors from it. Those that convert or digest gigabytes need the good one.
case "${1:-} $*" in
ls\ *--sha256* | verify\ *--digests* | demo\ * | convert\ * | align\ * | split\ * | merge\ * | diff\ * | \
    load\ *--dtype* | load\ *--dequantize* | load\ *--check-digests* | load\ *--config*) ;;
*) java+=(-XX:TieredStopAtLevel=1) ;;
esac

# shellcheck disable=SC2086 # several options in one variable
exec "${java[@]}" ${FST_JAVA_OPTS:-} ${FST_MODULE_PATH:+-m} "$main" "$@"
