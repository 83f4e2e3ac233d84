package io.fastsafetensors.cli;

import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/// One of fst's commands. Its options are described in code rather than by annotations, which costs half the start-up.
interface Command {
    /// Adds options and parameters.
    void describe(CommandSpec spec);

    /// Does the work.
    ///
    /// @return the exit status: 0 done, 1 the data or the machine says no
    /// @throws UsageException if the command line makes no sense
    int run(ParseResult line, Screen screen);
}
