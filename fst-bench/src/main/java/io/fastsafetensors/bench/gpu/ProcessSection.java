package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Whole processes: `fst load` beside Python with the safetensors library, doing the same.
final class ProcessSection implements Section {
    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        BenchSettings settings = bench.settings();
        List<String> command = fst(settings, path);
        // Makes the launcher's cache of classes.
        Programs.run(command);
        Samples process = new Samples("fst load, whole process, page cache warm", "s");
        Samples inside = new Samples("fst load, page cache warm, by its own clock", "GB/s");
        for (int i = 0; i < settings.rounds(); i++) {
            Programs.Finished run = Programs.run(command);
            process.add(run.seconds());
            inside.add(run.number("gb_per_s"));
        }
        Report report = bench.report();
        report.arm(process);
        report.arm(inside);
        report.atLeast("first load of a process, page-locking included", 40, inside.median(), " GB/s");
        report.atMost("process start to all resident", 1.0, process.median(), " s");
        List<String> python = List.of(settings.python(), settings.baseline().toString(), settings.device().toString(),
                path.toString());
        try {
            Programs.run(python);
        } catch (IllegalStateException e) {
            report.notApplicable("against safetensors' load_file", String.valueOf(e.getMessage()));
            return;
        }
        beside(bench, path, command, python);
    }

    private static void beside(Bench bench, Path path, List<String> command, List<String> python) {
        Samples fstProcess = new Samples("fst load, whole process, in turns with Python", "s");
        Samples fst = new Samples("load, page cache and slots warm, in turns with Python", "GB/s");
        Samples pythonProcess = new Samples("Python with safetensors, from its start to all resident, page cache warm",
                "s");
        Samples first = new Samples("safetensors load_file, first of its process", "GB/s");
        Samples again = new Samples("safetensors load_file, again in its process", "GB/s");
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, path);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                fstProcess.add(Programs.run(command).seconds());
                fst.add(LoadRun.of(loader, path).rate());
                Programs.Finished run = Programs.run(python);
                double gigabytes = run.number("bytes") / 1e9;
                pythonProcess.add(run.number("resident_at") - run.startedAt());
                first.add(gigabytes / run.number("seconds_first"));
                again.add(gigabytes / run.number("seconds_again"));
            }
        }
        Report report = bench.report();
        List.of(fstProcess, fst, pythonProcess, first, again).forEach(report::arm);
        report.fact("Python with safetensors: process start to all resident",
                Report.number(pythonProcess.median()) + " s, "
                        + Report.number(pythonProcess.median() / fstProcess.median())
                        + " × fst's");
        report.atLeast("against safetensors' load_file, both warm", 9, fst.median() / again.median(), " ×");
        report.fact("against safetensors' load_file, first of its process",
                Report.number(fst.median() / first.median()) + " ×");
    }

    private static List<String> fst(BenchSettings settings, Path path) {
        List<String> command = new ArrayList<>(List.of(settings.launcher().toAbsolutePath().toString(), "load",
                "--device", settings.device().toString(), "--format", "tsv"));
        settings.backend().ifPresent(name -> command.addAll(List.of("--backend", name)));
        command.add(path.toString());
        return command;
    }
}
