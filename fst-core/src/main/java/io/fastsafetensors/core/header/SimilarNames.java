package io.fastsafetensors.core.header;

import io.fastsafetensors.error.Printable;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Finds names that a caller may have meant: those that begin and end alike. One pass over the names, no distances. A
/// checkpoint has a hundred thousand names, and edit distances to all of them would take longer than the load that
/// failed.
public final class SimilarNames {
    private static final int MOST = 3;

    private record Candidate(String name, int alike) {
    }

    private SimilarNames() {
    }

    /// `; did you mean …`, or nothing if no name comes close.
    ///
    /// @param names passed over once; in no order
    /// @return a clause that begins with a semicolon
    public static String hint(String asked, Collection<String> names) {
        String wanted = asked.toLowerCase(Locale.ROOT);
        List<Candidate> best = names.stream().map(name -> new Candidate(name, alike(wanted, name)))
                .filter(candidate -> isClose(candidate, wanted))
                .sorted(Comparator.comparingInt(Candidate::alike).reversed()
                        .thenComparingInt(candidate -> candidate.name.length()).thenComparing(Candidate::name))
                .limit(MOST).toList();
        return best.isEmpty() ? ""
                : best.stream().map(candidate -> '"' + Printable.escape(candidate.name) + '"')
                        .collect(Collectors.joining(", ", "; did you mean ", "?"));
    }

    /// Two thirds alike, measured on the shorter of the two: a missing "model." in front does not count.
    private static boolean isClose(Candidate candidate, String wanted) {
        int shorter = Math.min(candidate.name.length(), wanted.length());
        return shorter > 0 && candidate.alike * 3 >= shorter * 2;
    }

    /// How many characters both have in common at the beginning and, of the rest, at the end.
    ///
    /// Upper and lower case are the same. Front and back never count a character twice.
    private static int alike(String wanted, String name) {
        int shorter = Math.min(wanted.length(), name.length());
        int front = 0;
        while (front < shorter && wanted.charAt(front) == Character.toLowerCase(name.charAt(front))) {
            front++;
        }
        int back = 0;
        while (back < shorter - front && wanted.charAt(wanted.length() - 1 - back) == Character
                .toLowerCase(name.charAt(name.length() - 1 - back))) {
            back++;
        }
        return front + back;
    }
}
