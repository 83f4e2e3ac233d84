package io.fastsafetensors.test;

import java.util.List;
import java.util.Optional;

/// The Python that has NumPy.
public final class Python {
    private static final List<String> CANDIDATES = List.of("python3", "/usr/bin/python3");

    private Python() {
    }

    /// The command of the first Python that imports NumPy; without one the test ends by [Prerequisite#NUMPY].
    public static String withNumPy() {
        Prerequisite.NUMPY.require();
        return CANDIDATES.stream().filter(python -> problem(python).isEmpty()).findFirst()
                .orElseThrow(() -> Prerequisite.NUMPY.missing("it was there a moment ago"));
    }

    static Optional<String> problem() {
        StringBuilder tried = new StringBuilder();
        for (String python : CANDIDATES) {
            Optional<String> problem = problem(python);
            if (problem.isEmpty()) {
                return problem;
            }
            tried.append(tried.isEmpty() ? "" : "\n").append(python).append(": ").append(problem.get());
        }
        return Optional.of(tried.toString());
    }

    private static Optional<String> problem(String python) {
        return ChildProcess.problem(python, "-c", "import numpy")
                .map(text -> text.lines().reduce((first, last) -> last).orElse(text));
    }
}
