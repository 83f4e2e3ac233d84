package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.error.FstException;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/// `fst verify`: the format's verdict on each path.
final class VerifyCommand implements Command {
    @Override
    public void describe(CommandSpec spec) {
        Options.paths(spec, "1..*", "files, directories or index files");
        Options.flag(spec, "--lenient", "accept bytes after the last tensor, and headers over 100 MB");
        Options.format(spec);
    }

    @Override
    public int run(ParseResult line, Screen screen) {
        OpenOptions options = Options.isSet(line, "--lenient") ? OpenOptions.lenientMode() : OpenOptions.strict();
        Table.Format format = Options.format(line);
        Table table = new Table("path", "verdict", "message");
        int refused = 0;
        int paths = 0;
        for (String argument : Options.paths(line)) {
            Path path = Options.path(argument);
            paths++;
            try {
                Checkpoint checkpoint = Safetensors.open(path, options);
                String found = Sizes.count(checkpoint.tensors().size(), "tensor") + ", "
                        + Sizes.human(checkpoint.byteSize());
                table.add(Cell.text(argument), Cell.text("OK", Screen.Style.GOOD), Cell.text(found));
            } catch (FstException e) {
                table.add(Cell.text(argument), Cell.text(e.errorName(), Screen.Style.BAD),
                        Cell.text(String.valueOf(e.getMessage())));
                refused++;
                if (Options.isSet(line, "--stacktrace")) {
                    e.printStackTrace(screen.err());
                }
            }
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT && paths > 1) {
            screen.out().println(refused == 0 ? "all " + paths + " are valid" : refused + " of " + paths + " refused");
        }
        return refused == 0 ? 0 : 1;
    }
}
