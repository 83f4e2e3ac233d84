package io.fastsafetensors.cli;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FstException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/// `fst doctor`: what is on the path, what works here, and why the rest does not.
final class DoctorCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        syntax.paths(0, 1, "a checkpoint: report how it would be read, and why");
        OpenFlags.describe(syntax);
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        Table.Format format = line.format();
        Table table = new Table("kind", "name", "available", "reason").wrapLast();
        List<Diagnostics.BackendReport> backends = Diagnostics.backends();
        for (Diagnostics.BackendReport backend : backends) {
            addBackend(table, backend);
        }
        List<DeviceDescription> devices = devices(backends);
        for (DeviceDescription facts : devices) {
            add(table, "device", facts.device().device().toString(), true,
                    format == Table.Format.TEXT ? facts.headline() : facts.sentence());
        }
        for (Diagnostics.GroupReport group : Diagnostics.groups()) {
            add(table, "group", group.name(), group.unavailable().isEmpty(), group.unavailable().orElse("works here"));
        }
        int status = 0;
        for (String argument : line.paths()) {
            status |= addStorage(table, argument, OpenFlags.of(line), screen, line.isSet("--stacktrace"));
        }
        if (format == Table.Format.TEXT) {
            screen.out().println("Java " + Runtime.version() + " (" + System.getProperty("java.vendor") + "), "
                    + System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                    + System.getProperty("os.arch") + ", "
                    + Sizes.count(Runtime.getRuntime().availableProcessors(), "core"));
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            devices.forEach(facts -> facts.print(screen));
        }
        return status;
    }

    private static List<DeviceDescription> devices(List<Diagnostics.BackendReport> backends) {
        List<DeviceDescription> devices = new ArrayList<>();
        for (Diagnostics.BackendReport backend : backends) {
            backend.probe().found().ifPresent(found -> found.devices()
                    .forEach(device -> devices.add(new DeviceDescription(device, backend.name()))));
        }
        return devices;
    }

    private static void addBackend(Table table, Diagnostics.BackendReport backend) {
        String reason = backend.probe().found()
                .map(found -> sentence(List.of("priority " + backend.priority() + " for " + backend.deviceType(),
                        pairs(found.versions()), words(found.capabilities()))))
                .or(backend.probe()::obstacle).orElse("");
        add(table, "backend", backend.name(), backend.probe().isAvailable(), reason);
    }

    private static int addStorage(Table table, String argument, OpenOptions options, Screen screen,
            boolean stacktrace) {
        try {
            for (Diagnostics.StorageReport file : Diagnostics.storage(Line.location(argument), options)) {
                String cached = file.cachedBytes() < 0 ? "residency unknown"
                        : Sizes.human(file.cachedBytes()) + " cached";
                add(table, "storage", file.file().toString(), true, sentence(List.of(file.fileSystem(),
                        Sizes.human(file.byteSize()), cached, file.direct() ? "direct reads" : "buffered reads only",
                        file.reason())));
            }
            return 0;
        } catch (FstException e) {
            add(table, "storage", RawArguments.shown(argument), false, String.valueOf(e.getMessage()));
            if (stacktrace) {
                e.printStackTrace(screen.err());
            }
            return 1;
        }
    }

    private static void add(Table table, String kind, String name, boolean available, String reason) {
        table.add(Cell.text(kind), Cell.text(name), Cell.yesNo(available), Cell.text(reason));
    }

    private static String pairs(Map<String, String> facts) {
        List<String> parts = new ArrayList<>();
        new TreeMap<>(facts).forEach((key, value) -> parts.add(key + " " + value));
        return String.join(", ", parts);
    }

    private static String words(Collection<? extends Enum<?>> constants) {
        return String.join(", ", constants.stream().map(constant -> constant.name().toLowerCase(Locale.ROOT)
                .replace('_', ' ')).sorted().toList());
    }

    private static String sentence(List<String> parts) {
        return String.join(", ", parts.stream().filter(part -> !part.isBlank()).toList());
    }
}
