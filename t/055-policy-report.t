# The policy as a table and as JSON, and what nginx -t warns of.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Faults qw(memory_can_fail without_memory);
use Test::More;

use JSON::PP ();

my $ISSUER = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map writer writer;
    default_role user;
}
END

my $HTTP = <<'END';
proxy_user_profile reader { methods GET; }
proxy_user_profile writer { methods POST PUT; inherit reader; rate 10r/s burst=5;
                            quota 100 per day; concurrency 2; max_grant 1h; }
END

my $SERVER = <<'END';
proxy_user on;
location / { proxy_user_role user; }
location = /exact { proxy_user_role reader; proxy_user_scope read GET;
                    proxy_user_require $arg_x; }
location ^~ /static/ { proxy_user off; }
location /api/ {
    proxy_user_role reader writer;
    proxy_user_preflight on;
    location /api/inner/ { proxy_user_mode report; }
    location ~ \.json$ { proxy_user_role writer PUT; }
}
location /limit {
    proxy_user optional;
    limit_except GET { proxy_user on; proxy_user_role writer; }
}
location ~* ^/pic { proxy_user_role user GET; }
location @named { proxy_user_role writer; }
END

my $n = 0;
my $root = "$ProxyUser::Nginx::tmp";

# What nginx -t says, once on stderr and once in the log, of a configuration with a report, and the report.
sub report {
    my (%part) = @_;

    my $file = "$root/policy-" . ++$n . '.txt';
    my $http = delete $part{http};
    my ($ok, $said) = nginx_t(
        http => "proxy_user_policy_report $file;\n$http", %part);
    return ($ok, $said, map { -f $_ ? read_file($_) : undef }
            $file, "$file.json");
}

sub warnings {
    my ($said) = @_;
    return grep { /^nginx: \[warn\]/ } split /\n/, $said;
}


{
    my ($ok, $said, $text, $json) = report(http => "$ISSUER$HTTP",
                                           server => $SERVER);
    is $ok, 1, 'nginx -t' or diag $said;
    is scalar(warnings($said)), 0, 'without a warning' or diag $said;

    # the backend that a test gets is a server too
    my ($own) = $text =~ /^(server localhost .*)/ms;
    unlike $text, qr/ $/m, 'no blanks at the end of a line';

    my %row = map { /^  (\S.*?)  +(.*)$/ ? ($1 => $2) : () }
        grep { !/^  location / } split /\n/, $own;
    my ($head) = $own =~ /^  (location .*)$/m;
    my $columns = sub { [split /  +/, $_[0]] };

    is_deeply $columns->($head), ['location', 'asks for', 'reader', 'user',
                                  'writer'], 'columns are roles, sorted'
        or diag $text;
    like $text, qr/^server localhost  \(\S+nginx\.conf:\d+\)$/m, 'a server';

    my %expected = (
        '/' => ['a role', '-', '*', '-'],
        '= /exact' => ['a role', 'GET', '-', 'GET',
                       'scope read GET; requirements'],
        '^~ /static/' => ['PUBLIC', '*', '*', '*'],
        '/api/' => ['a role', 'GET', '-', 'GET POST PUT',
                    'preflights pass'],
        '/api/inner/' => ['a role REPORT', 'GET', '-', 'GET POST PUT',
                          'preflights pass'],
        '~ \.json$' => ['a role', '-', '-', 'PUT', 'preflights pass'],
        '/limit [GET]' => ['nothing', 'GET', 'GET', 'GET'],
        '/limit [but GET]' => ['a role', '-', '-', 'POST PUT'],
        '~ ^/pic' => ['a role', '-', 'GET', '-'],
        '@named' => ['a role', '-', '-', 'GET POST PUT'],
        '(no location)' => ['a user', '*', '*', '*']);
    for (sort keys %expected) {
        is_deeply $columns->($row{$_} // ''), $expected{$_}, "row $_"
            or diag $text;
    }
    is scalar(keys %row), scalar(keys %expected), 'and no other';

    my $data = JSON::PP::decode_json($json);
    my %place = map { $_->{location} => $_ }
        @{ $data->{servers}[-1]{locations} };
    is_deeply [sort keys %place], [sort keys %expected], 'JSON has the same';
    is_deeply $place{'/api/'}, { location => '/api/', access => 'user',
        methods => '*', mode => 'enforce', preflight => JSON::PP::true,
        nobody => JSON::PP::false, scopes => [], requirements => 0,
        roles => { reader => ['GET', 'HEAD'],
                   writer => ['GET', 'HEAD', 'POST', 'PUT'] } },
        'a location';
    is_deeply $place{'^~ /static/'}, { location => '^~ /static/',
        access => 'public', methods => '*' }, 'a public one';
    is $place{'/api/inner/'}{mode}, 'report', 'one that reports';
    is_deeply $place{'= /exact'}{scopes}, [{ scopes => ['read'],
        methods => ['GET', 'HEAD'] }], 'scopes';
    is $place{'= /exact'}{requirements}, 1, 'requirements';
    is_deeply $place{'/limit [GET]'}{methods}, ['GET', 'HEAD'],
        'a part of one';
    ok !exists $place{'(no location)'}{roles}, 'no line, no roles';
    is_deeply $data->{profiles}[1], { role => 'writer',
        where => $data->{profiles}[1]{where}, inherits => ['reader'],
        methods => ['GET', 'HEAD', 'POST', 'PUT'],
        rate => { requests => 10, seconds => 1, burst => 5 },
        quota => { requests => 100, per => 'day' }, concurrency => 2,
        max_grant => 3600 }, 'a profile';
    is_deeply $data->{servers}[-1]{names}, 'localhost', 'its names';

    my (undef, undef, $again, $same) = report(http => "$ISSUER$HTTP",
                                              server => $SERVER);
    $again =~ s/nginx-[^\/]+/nginx-/g, $text =~ s/nginx-[^\/]+/nginx-/g;
    is $again, $text, 'the same configuration, the same text';
    is_deeply [glob "$root/policy-*.txt.*[0-9]"], [], 'nothing is left behind';
}


# At a start, at a reload, and what must not be written over by halves.

{
    my $file = "$root/live.txt";
    write_file('live.txt', "old\n" x 10000);
    symlink "$root/elsewhere", "$file.json";
    write_file('elsewhere', 'precious');

    my $nginx = start_nginx(
        http => "proxy_user_policy_report $file; $ISSUER",
        server => 'proxy_user on; location / { proxy_user_role user; }');
    like read_file($file), qr/\AWho may do what/, 'written at a start';
    like read_file("$file.json"), qr/\A\{/, 'JSON too';
    is read_file("$root/elsewhere"), 'precious',
        'a link is replaced, not followed';
    is +(stat $file)[2] & 07777, 0644, 'readable for everybody';

    $nginx->configure(
        http => "proxy_user_policy_report $file; $ISSUER",
        server => 'proxy_user on; location / { proxy_user_role reader; }');
    unlink $file;
    ok $nginx->reload, 'a reload';
    like read_file($file), qr/reader/, 'writes it again';

    unlink $file;
    ok $nginx->get('/', token())->{status}, 'a request';
    ok !-f $file, 'writes nothing';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}

{
    my ($ok, $said) = nginx_t(
        http => "proxy_user_policy_report $root/nowhere/p.txt; $ISSUER");
    is $ok, 0, 'a directory that is not there';
    like $said, qr{\[emerg\]\ "proxy_user_policy_report"\ cannot\ write
        \ "\Q$root\E/nowhere/p\.txt":\ open\(\)\ failed\ \(2:}x, 'and why';

    mkdir "$root/a-directory";
    ($ok, $said) = nginx_t(
        http => "proxy_user_policy_report $root/a-directory; $ISSUER");
    is $ok, 0, 'a directory in its place';
    like $said, qr/cannot write "\Q$root\E\/a-directory": rename/,
        'and why';
    is_deeply [glob "$root/a-directory.*"], [], 'nothing is left behind';

    ($ok, $said) = nginx_t(http => "proxy_user_policy_report p.txt;
                                    proxy_user_policy_report q.txt;");
    like $said, qr/"proxy_user_policy_report" directive is duplicate/,
        'a second one';
    for my $place ('server', 'location') {
        ($ok, $said) = nginx_t($place => 'proxy_user_policy_report p.txt;');
        like $said, qr/"proxy_user_policy_report" directive is not allowed/,
            "not in $place";
    }
}


# Warnings.

sub told {
    my ($name, $pattern, %part) = @_;

    my ($ok, $said) = report(http => '', %part);
    is $ok, 1, "$name: taken" or diag $said;
    is scalar(grep({ /$pattern/ } warnings($said))), 1, "$name: told once"
        or diag $said;
}

my $redis = 'proxy_user_redis redis://127.0.0.1;';

told('a typo, with Redis', qr/the role "raeder" in \S+nginx.conf:\d+ is in no /
     . qr/profile, "role_map" or "default_role": only a grant can give/,
     http => "$redis $ISSUER",
     server => 'proxy_user on; proxy_user_role reader raeder; '
         . 'location /a { } location /b { proxy_user_role raeder; }');
told('a typo, without Redis', qr/the role "raeder" .* and without /
     . qr/"proxy_user_redis" nothing else can give it/,
     http => $ISSUER, server => 'proxy_user on; proxy_user_role reader raeder;');
told('a location without Redis', qr{location "/b" of server "localhost" can be}
     . qr/ entered by nobody: nothing can give a role that its lines let in/,
     http => $ISSUER, server => 'proxy_user on; '
         . 'location /b { proxy_user_role raeder; }');
told('a profile nobody uses', qr/"proxy_user_profile other" is used by no /
     . qr/location: no "proxy_user_role" names the role/,
     http => "$redis $ISSUER proxy_user_profile other { }
              proxy_user_profile reader { }
              proxy_user_profile top { inherit reader; }",
     server => 'proxy_user on; proxy_user_role reader;');
told('a location closed by profiles', qr{location "/c" of server "localhost" }
     . qr/can be entered by nobody: the profiles allow its roles none of its/,
     http => "$redis $ISSUER proxy_user_profile reader { methods GET; }",
     server => 'proxy_user on; location /r { proxy_user_role reader; }
                location /c { proxy_user_role reader POST; }');

for (['error_page 401 =200 /x;', '200 of 401'],
     ['error_page 403 =204 @x;', '204 of 403']) {
    my ($line, $what) = @$_;
    my ($ok, $said) = nginx_t(http => $ISSUER, server => "proxy_user on;
        $line location /a { } location /b { } location \@x { }
        location /x { proxy_user off; }");
    is $ok, 1, "$line: taken";
    is scalar(grep { /"error_page" of location .* makes $what: who is /
                     . qr/refused there is told that all is well/ }
              warnings($said)), 1, "$line: told once, without a report"
        or diag $said;
}

for my $line ('error_page 401 /x;', 'error_page 401 =302 /x;',
              'error_page 404 =200 /x;', 'error_page 401 = /x;') {
    my ($ok, $said) = nginx_t(http => $ISSUER, server => "proxy_user on;
        $line location /x { proxy_user off; }");
    is scalar(warnings($said)), 0, "$line: fine" or diag $said;
}

{
    my ($ok, $said) = report(http => $ISSUER, server => '
        location /a { proxy_user_mode report; }
        location /b { error_page 401 =200 /a; }');
    is scalar(warnings($said)), 0, 'nothing is asked, nothing is told';

    ($ok, $said) = nginx_t(http => "$redis $ISSUER
        proxy_user_profile unused { }", server => 'proxy_user on;
        proxy_user_role raeder;');
    is scalar(warnings($said)), 0, 'without a report only what is certain';

    ($ok, $said) = report(http => '', bare => 1, server => '
        location / { return 200; }');
    is $ok, 1, 'a report without an issuer' or diag $said;
}

# A table that lacks a line is worse for who reads it than none.
SKIP: {
    skip 'this nginx has a malloc of its own', 1 unless memory_can_fail();
    skip 'the last allocations are of what writes the coverage down', 1
        if $ENV{COVERAGE};

    # It names the file of a server, which is another one each time.
    my $comparable = sub { join '', map { s{[\w/-]+/nginx\.conf}{}gr } @_ };

    my ($ok, undef, @whole) = report(http => "$ISSUER$HTTP",
                                     server => $SERVER);
    my $whole = $comparable->(@whole);
    my $short = sub {
        my ($of, $at) = @_;
        return without_memory(sub { report(http => "$ISSUER$HTTP",
                                           server => $SERVER) },
                              $at, of => $of);
    };

    # The report is the last that is made.
    for ([ng => 1], [libjansson => 11]) {
        my ($of, $step) = @$_;
        my ($all) = $short->($of, 1 << 40);
        my (%got, @wrong);

        for my $at (map { $all - $step * $_ } 0 .. 25) {
            my (undef, $ok, $said, @got) = $short->($of, $at);
            my $is = !$ok ? 'refused'
                : $comparable->(@got) eq $whole ? 'whole' : 'part';
            $got{$is}++;
            push @wrong, "$at: $is: $said" if $is eq 'part'
                || $is eq 'refused' && $said !~ /\[emerg\]/;
        }
        is scalar(@wrong), 0, "$of: whole, or none and said" or diag @wrong;
        cmp_ok $got{refused} // 0, '>', 5, "$of: memory was short";
    }
}

done_testing;
