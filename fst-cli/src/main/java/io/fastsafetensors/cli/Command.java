package io.fastsafetensors.cli;

/// One of fst's commands.
interface Command {
    /// Adds options and parameters.
    void describe(Syntax syntax);

    /// Does the work.
    ///
    /// @return the exit status: 0 done, 1 the data or the machine says no
    /// @throws UsageException if the command line makes no sense
    int run(Line line, Screen screen);
}
