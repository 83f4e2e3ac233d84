package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.bench.FileServer;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;

/// The same checkpoint from the page cache and from a server of this machine, which has it in the page cache too, over HTTP.
final class RemoteSection implements Section {
    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        Samples local = new Samples("load, page cache, for comparison with HTTP", "GB/s");
        Samples remote = new Samples("load over HTTP from a server on the loopback interface", "GB/s");
        Samples cpu = new Samples("CPU time of such a load, the server's included", "s");
        Samples readers = new Samples("requests at a time", "requests");
        try (FileServer server = new FileServer(path); Loader loader = bench.builder().build()) {
            Location address = Location.of(server.address(path.resolve("model.safetensors.index.json")));
            LoadRun.of(loader, Location.of(path));
            LoadRun.of(loader, address);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                local.add(LoadRun.of(loader, Location.of(path)).rate());
                LoadRun run = LoadRun.of(loader, address);
                remote.add(run.rate());
                cpu.add(run.cpuSeconds());
                readers.add(run.stats().readers());
            }
        }
        Report report = bench.report();
        report.arm(local);
        report.arm(remote);
        report.arm(cpu);
        report.arm(readers);
    }
}
