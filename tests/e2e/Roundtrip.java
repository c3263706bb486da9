// SPDX-License-Identifier: ISC
// What a Java service does with PostgreSQL, through Sekisho: connect, prepare, page, copy, cancel.
import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import org.postgresql.PGConnection;

public class Roundtrip {
    static void expect(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] words) throws Exception {
        Properties p = new Properties();
        p.setProperty("user", "app");
        p.setProperty("password", words[1]);
        p.setProperty("sslmode", "verify-full");
        p.setProperty("sslrootcert", words[2]);
        p.setProperty("ApplicationName", "jdbc");
        try (Connection c = DriverManager.getConnection(words[0], p)) {
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT DISTINCT name FROM who")) {
                expect(r.next() && r.getString(1).equals("acme"), "acme's own table");
            }
            try (PreparedStatement s = c.prepareStatement("SELECT ?::int + 1")) {
                for (int n = 0; n < 20; n++) { // the fifth becomes a server-side statement
                    s.setInt(1, n);
                    try (ResultSet r = s.executeQuery()) {
                        expect(r.next() && r.getInt(1) == n + 1, "prepared");
                    }
                }
            }
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                s.setFetchSize(100);
                int count = 0;
                try (ResultSet r = s.executeQuery("SELECT generate_series(1, 5000)")) {
                    while (r.next()) {
                        count++;
                    }
                }
                expect(count == 5000, "paged through a portal");
            }
            c.commit();
            c.setAutoCommit(true);
            PGConnection pg = c.unwrap(PGConnection.class);
            try (Statement s = c.createStatement()) {
                s.execute("CREATE TEMP TABLE t (n int)");
            }
            expect(pg.getCopyAPI().copyIn("COPY t FROM STDIN", new StringReader("1\n2\n3\n")) == 3, "copied");
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                s.execute("SELECT pg_sleep(60)");
                throw new AssertionError("was not cancelled");
            } catch (SQLException e) {
                expect("57014".equals(e.getSQLState()), e.toString());
            }
        }
        p.setProperty("password", "guess");
        try (Connection c = DriverManager.getConnection(words[0], p)) {
            throw new AssertionError("a wrong password got in");
        } catch (SQLException e) {
            expect("28P01".equals(e.getSQLState()), e.toString());
        }
        System.out.println("good");
    }
}
