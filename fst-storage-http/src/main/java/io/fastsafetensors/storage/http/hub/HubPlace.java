package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.Percent;
import io.fastsafetensors.types.Location;

/// The parts of a location `hf:org/name@revision/file`. Immutable.
///
/// @param repository `org/name`, or a name alone
/// @param revision a branch, a tag or a commit
/// @param path below the repository, names separated by `/`, without encoding; empty for the repository itself
record HubPlace(Location location, String repository, String revision, String path) {
    private static final String NAME = "[A-Za-z0-9][A-Za-z0-9._-]*";

    /// @throws StorageException if the location is no such address
    static HubPlace of(Location location) {
        String address = location.address();
        int query = address.indexOf('?');
        String text = (query < 0 ? address : address.substring(0, query)).substring(location.scheme().length() + 1);
        while (text.startsWith("/")) {
            text = text.substring(1);
        }
        String[] names = (text.endsWith("/") ? text.substring(0, text.length() - 1) : text).split("/", -1);
        // A repository without an organisation is known by its revision only.
        int last = names.length == 1 || names[0].indexOf('@') >= 0 ? 0 : 1;
        String name = names[last];
        int at = name.indexOf('@');
        String revision = at < 0 ? "main" : Percent.decodeText(name.substring(at + 1));
        String plain = at < 0 ? name : name.substring(0, at);
        String repository = last == 0 ? plain : names[0] + "/" + plain;
        if (!repository.matches(NAME + "(/" + NAME + ")?") || !revision.matches("[A-Za-z0-9._/-]{1,200}")
                || ("/" + revision + "/").contains("/../")) {
            throw unusable(location);
        }
        StringBuilder path = new StringBuilder();
        for (int i = last + 1; i < names.length; i++) {
            String decoded = Percent.decodeText(names[i]);
            if (decoded.isEmpty() || decoded.equals(".") || decoded.equals("..") || decoded.indexOf('/') >= 0
                    || decoded.indexOf('\0') >= 0) {
                throw unusable(location);
            }
            path.append(path.isEmpty() ? "" : "/").append(decoded);
        }
        return new HubPlace(location, repository, revision, path.toString());
    }

    private static StorageException unusable(Location location) {
        return new StorageException(
                "an address of the hub has the form hf:org/name@revision/file; a slash of a revision is "
                        + "written %2F",
                location.where());
    }

    /// The same at a commit.
    HubPlace at(String commit) {
        String text = "hf:" + repository + "@" + Percent.encode(commit, "")
                + (path.isEmpty() ? "" : "/" + Percent.encode(path, "/"));
        return new HubPlace(Location.of(text), repository, commit, path);
    }

    /// Whether the revision can be no other one tomorrow.
    boolean isPinned() {
        return revision.matches("[0-9a-f]{40}");
    }
}
