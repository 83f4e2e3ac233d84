package io.fastsafetensors.cli;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.OpenOptions;
import java.util.List;
import java.util.Optional;

/// `fst cache ls|prune`: lists and shrinks what was kept of remote files.
final class CacheCommand implements Command {
    private static final String TO = "--to";

    @Override
    public void describe(Syntax syntax) {
        syntax.operands("ls|prune", "list what is kept, or remove what was not used for the longest time");
        syntax.value(OpenFlags.CACHE, "DIR", "the cache's directory (default: FST_CACHE, else ~/.cache/fst/remote)");
        syntax.value(TO, "SIZE", "with prune: the most that is left, such as 100GiB or 0");
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        OpenOptions options = OpenFlags.cache(line, OpenOptions.defaults());
        Optional<String> to = Optional.ofNullable(line.value(TO));
        switch (line.paths().getFirst()) {
            case "ls" -> {
                if (to.isPresent()) {
                    throw new UsageException(TO + " belongs to fst cache prune");
                }
                list(options, line.format(), screen);
            }
            case "prune" -> {
                long most = Sizes.parse(TO, to.orElseThrow(() -> new UsageException("prune needs " + TO + " SIZE")));
                long left = Diagnostics.pruneCache(options, most);
                screen.out().println(Sizes.human(left) + " left");
            }
            default -> throw new UsageException("expected ls or prune, found " + line.paths().getFirst());
        }
        return 0;
    }

    private static void list(OpenOptions options, Table.Format format, Screen screen) {
        List<Diagnostics.CachedFile> files = Diagnostics.cache(options);
        Table table = new Table("location", "version", "file_bytes", "held_bytes", "last_used")
                .alignRight("file_bytes", "held_bytes");
        long held = 0;
        for (Diagnostics.CachedFile file : files) {
            table.add(Cell.text(file.location()), Cell.text(file.version()), Cell.bytes(file.fileBytes()),
                    Cell.bytes(file.heldBytes()), Cell.text(file.lastUsed().toString()));
            held += file.heldBytes();
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            screen.out().println(Sizes.count(files.size(), "file") + ", " + Sizes.human(held));
        }
    }
}
