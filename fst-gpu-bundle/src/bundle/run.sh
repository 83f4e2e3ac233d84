#!/usr/bin/env bash
# Tests and measures fst on this machine: Linux on x86-64 with a GPU driver, nothing else. README.md tells more.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

usage() {
    cat <<'EOF'
usage: ./run.sh COMMAND
  test [-DNAME=VALUE...] [PATTERN]  run the tests whose class names match (default: .*ConformanceTest, every backend's);
                                    -Dfst.testkit.require=cuda,cpu makes a backend that is not available a failure
  ranks [N]                         run every collective and every sharding call between N GPUs (default: 2) by NCCL: in one JVM,
                                    and in N processes that meet by NCCL_COMM_ID and by a shared directory; with
                                    NCCL_MULTI_RANK_GPU_ENABLE=1 ranks may share a GPU, as far as NCCL can
  memcheck [CLASS]                  run the kernel tests under compute-sanitizer (default: the CUDA backend's)
  bench [OPTION...]                 measure loads; --help lists the options
  fst ARGUMENT...                   the fst command
  doctor                            what works here, and why the rest does not
  java ARGUMENT...                  Java with all of fst on its class path
FST_RESULTS names the directory for reports (default: fst-results here).
EOF
}

# Shared libraries that came along. Linux looks there before the system's directories.
if [[ -d $here/natives ]]; then
    export LD_LIBRARY_PATH=$here/natives${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
# Without it the launcher keeps its cache with the user.
if [[ -w $here && -z ${FST_CACHE_DIR:-} ]]; then
    export FST_CACHE_DIR=$here
fi
results=${FST_RESULTS:-$PWD/fst-results}
java=("$here/runtime/bin/java" -Xmx1g --enable-native-access=ALL-UNNAMED --illegal-native-access=deny)
path=$here/lib/*:$here/lib-test/*
console=org.junit.platform.console.ConsoleLauncher

# Runs the console launcher after the command in "$@"; keeps the whole report and prints the gist of it.
run_tests() {
    local status=0 report=$results/$1.txt
    shift
    mkdir -p "$results"
    "$@" --disable-banner --disable-ansi-colors --fail-if-no-tests --details=tree --details-theme=ascii \
        >"$report" 2>&1 || status=$?
    echo 'aborted, by reason:'
    { grep -o '\[A\] .*' "$report" || echo '[A] nothing'; } | sed 's/^\[A\] //' | sort | uniq -c | sort -rn
    if ((status)); then
        { grep -A 30 -E '^Failures|\[X\] |^=========' "$report" || cat "$report"; } | tail -n 120
    fi
    grep -E ' tests (found|aborted|successful|failed)|ERROR SUMMARY' "$report" || echo 'no test ran'
    echo "all of it: $report"
    return "$status"
}

run_conformance() {
    local properties=() pattern='.*ConformanceTest'
    for argument; do
        case $argument in
        -D*) properties+=("$argument") ;;
        -*) echo "run.sh test: no option $argument" >&2 && exit 2 ;;
        *) pattern=$argument ;;
        esac
    done
    local jars=("$here"/tests/*.jar)
    # A path with spaces in it stays whole: only the separator between jars is a colon.
    local IFS=:
    run_tests test "${java[@]}" -cp "$path:$here/tests/*" "${properties[@]}" $console execute \
        "--scan-classpath=${jars[*]}" "--include-classname=$pattern"
}

# One process a rank; the environment is torchrun's. Says what each rank did, and on which GPU each holds memory.
run_processes() {
    local way=$1 size=$2 status=0 rank report=$results/ranks-$1.txt
    mkdir -p "$results"
    : >"$report"
    local folder pids=() gpus=$size
    if [[ ${NCCL_MULTI_RANK_GPU_ENABLE:-} == 1 ]]; then
        gpus=$(nvidia-smi -L | wc -l)
    fi
    folder=$(mktemp -d)
    for ((rank = 0; rank < size; rank++)); do
        local place=(RANK=$rank WORLD_SIZE="$size" LOCAL_RANK=$((rank % gpus)))
        case $way in
        comm-id) place+=(NCCL_COMM_ID=127.0.0.1:29517) ;;
        directory) place+=(FST_GROUP_DIR="$folder") ;;
        esac
        env "${place[@]}" "${java[@]}" -Dfst.seed=20261123 -cp "$path:$here/tests/*" \
            io.fastsafetensors.backend.cuda.NcclRank 120 all loads memory >>"$report" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || status=1
    done
    rm -r "$folder"
    echo "$size processes that meet by $way: $(grep -c ': ok$' "$report") of $((size * 12)) scripts held"
    grep -E 'FAILED|Exception|^memory' "$report" || true
    echo "all of it: $report"
    return "$status"
}

run_ranks() {
    local size=${1:-2} status=0
    run_conformance -Dfst.testkit.require=nccl '.*[.]NcclConformanceTest' || status=1
    for way in comm-id directory; do
        run_processes "$way" "$size" || status=1
    done
    return "$status"
}

run_memcheck() {
    local class=${1:-io.fastsafetensors.backend.cuda.CudaConformanceTest}
    local group=io.fastsafetensors.testkit.BackendConformance
    if ! command -v compute-sanitizer >/dev/null; then
        echo 'run.sh memcheck: needs compute-sanitizer of the CUDA toolkit on the PATH, and there is none' >&2
        exit 1
    fi
    # A rule takes minutes under the sanitizer, so samples of each are tried.
    run_tests memcheck compute-sanitizer --tool memcheck --target-processes all --error-exitcode 3 \
        "${java[@]}" -cp "$path:$here/tests/*" -Dfst.testkit.effort=quick -Dfst.testkit.require=all $console execute \
        "--select=nested-class:$class/$group\$Conversion" "--select=nested-class:$class/$group\$Gathering"
}

command=${1:-}
[[ $command ]] && shift
case $command in
test) run_conformance "$@" ;;
ranks) run_ranks "$@" ;;
memcheck) run_memcheck "$@" ;;
bench)
    exec "${java[@]}" -cp "$path:$here/lib-bench/*" io.fastsafetensors.bench.gpu.GpuBench --launcher "$here/fst" \
        --baseline "$here/safetensors_baseline.py" --results "$results" "$@"
    ;;
fst) exec "$here/fst" "$@" ;;
doctor) exec "$here/fst" doctor "$@" ;;
java) exec "${java[@]}" -cp "$path:$here/lib-bench/*" "$@" ;;
help | --help | -h) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
