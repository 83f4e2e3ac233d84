package io.fastsafetensors.api;

import java.util.regex.Pattern;

/// Globs over tensor names, where `.` and `/` are ordinary characters.
final class Globs {
    private Globs() {
    }

    static Pattern toPattern(String glob) {
        StringBuilder regex = new StringBuilder();
        boolean inClass = false;
        int braces = 0;
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            if (inClass) {
                inClass = c != ']';
                regex.append(c == '\\' || c == '[' || c == '&' ? "\\" + c : c);
            } else {
                switch (c) {
                    case '*' -> regex.append(".*");
                    case '?' -> regex.append('.');
                    case '[' -> {
                        inClass = true;
                        regex.append('[');
                        if (i + 1 < glob.length() && glob.charAt(i + 1) == '!') {
                            regex.append('^');
                            i++;
                        }
                    }
                    case '{' -> {
                        braces++;
                        regex.append("(?:");
                    }
                    case '}' -> {
                        braces--;
                        regex.append(')');
                    }
                    case ',' -> regex.append(braces > 0 ? "|" : ",");
                    default -> regex.append(Pattern.quote(String.valueOf(c)));
                }
            }
        }
        if (inClass || braces != 0) {
            throw new IllegalArgumentException("glob \"" + glob + "\" leaves a [ or { open");
        }
        return Pattern.compile(regex.toString(), Pattern.DOTALL);
    }
}
