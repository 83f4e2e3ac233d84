#!/usr/bin/env bash
# Starts the fst command; on the first run, and after a change of the sources, builds it.
#   FST_JAVA_HOME    a JDK 25 or newer, instead of the first one found
#   FST_JAVA_OPTS    options for the JVM, such as -Xmx64m
#   FST_MODULE_PATH  more jars or directories of jars: backends and process groups of your own
#   FST_CACHE_DIR    where the cache of loaded classes goes, instead of beside the jars
set -euo pipefail

self=${BASH_SOURCE[0]}
while [[ -L $self ]]; do
    link=$(readlink "$self")
    [[ $link == /* ]] && self=$link || self=${self%/*}/$link
done
[[ $self == */* ]] || self=./$self
root=$(cd "${self%/*}" && pwd -P)
target=$root/fst-cli/target
# Unpacked from a bundle: the jars and a Java runtime lie beside this script.
[[ -d $root/lib && -d $root/runtime ]] && target=$root
lib=$target/lib

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
    for candidate in "$root/runtime" ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/* /opt/java/* /opt/jdk* \
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
    [[ -f $newest ]] || return 0
    [[ -d $root/fst-cli/src ]] || return 1
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
fi

modules=io.fastsafetensors.api
for automatic in jcuda jocl; do
    [[ -f $lib/$automatic.jar ]] && modules+=,$automatic
done
java=("$jdk/bin/java" -XX:+UseSerialGC -XX:-UsePerfData -Xlog:disable -Xlog:all=error:stderr
    -Djdk.console=java.base "--enable-native-access=$modules" -p "$lib${FST_MODULE_PATH:+:$FST_MODULE_PATH}")

# A cache of loaded classes halves the start-up. It belongs to one JDK and one set of jars at one place, which a file
# beside it names; an empty one says that this JDK could not make it. Without it everything works, later. More modules do
# without it, since a cache is of one module path.
caches=${FST_CACHE_DIR:-$target}
cache=$caches/fst-$version.aot
is_cached() {
    local jar place=
    [[ -f $cache && -r $cache.lib ]] || return 1
    IFS= read -r place <"$cache.lib" || :
    [[ $place == "$jdk $lib" ]] || return 1
    for jar in "$lib"/*.jar; do
        [[ $jar -nt $cache ]] && return 1
    done
    return 0
}
usable=
if [[ ${FST_MODULE_PATH:-} ]]; then
    :
elif is_cached; then
    usable=yes
elif [[ -w $caches ]]; then
    # In a shell of its own, which keeps to itself what a driver's library does to the process at its end. The
    # configuration goes when the cache is whole.
    (
        "${java[@]}" "-XX:AOTCacheOutput=$cache.$$" -m io.fastsafetensors.cli/io.fastsafetensors.cli.AotTrainingRun || :
    ) >"$caches/fst-aot.log" 2>&1 </dev/null
    [[ -s $cache.$$ && ! -e $cache.$$.config ]] && mv "$cache.$$" "$cache" || : >"$cache"
    rm -f "$cache.$$" "$cache.$$.config"
    printf '%s\n' "$jdk $lib" >"$cache.lib"
    usable=yes
fi
[[ $usable && -s $cache ]] && java+=("-XX:AOTCache=$cache")

# Commands that end in a moment gain from the quick compiler; those that move gigabytes need the good one.
case "${1:-} $*" in
ls\ *--sha256* | verify\ *--digests* | load\ * | demo\ * | convert\ * | align\ * | split\ * | merge\ * | diff\ *) ;;
*) java+=(-XX:TieredStopAtLevel=1) ;;
esac

# shellcheck disable=SC2086 # several options in one variable
exec "${java[@]}" ${FST_JAVA_OPTS:-} -m io.fastsafetensors.cli/io.fastsafetensors.cli.Main "$@"
