# What a role may do at most: ceilings of methods, roles that inherit others,
# and grants that end by themselves.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes ();

my $ISSUER = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map writer writer;
    role_map admin admin;
    role_map guest guest;
    role_map oncall oncall;
}
END

sub with {
    my (@roles) = @_;
    return token(claims => { sub => join('-', 'p', @roles),
                             roles => \@roles });
}

my ($reader, $writer, $admin, $guest, $nobody) =
    (map({ with($_) } qw(reader writer admin guest)), with());

# A location that answers with what was decided, and why.
sub location {
    my ($path, @line) = @_;
    return "location $path { @line proxy_pass \$TEST_NGINX_BACKEND; }\n";
}

my @no = ('method_not_permitted', '!WWW-Authenticate');

my $PROFILES = <<'END';
proxy_user_profile reader { methods GET; }
proxy_user_profile writer { methods POST PUT; inherit reader; }
proxy_user_profile admin { methods DELETE; inherit writer; }
END

my $SHOWS = 'add_header X-Reason $proxy_user_reason always;'
    . 'add_header X-Roles "$proxy_user_roles" always;'
    . 'add_header X-Rule "$proxy_user_rule" always;';


{
    my $nginx = start_nginx(
        http => $ISSUER . $PROFILES . $SHOWS,
        server => "proxy_user on;\n"
            . location('/all', 'proxy_user_role reader writer admin;')
            . location('/careless', 'proxy_user_role reader writer;')
            . location('/named',
                       'proxy_user_role reader GET POST PUT DELETE;')
            . location('/none', 'proxy_user_role reader POST;')
            . location('/guest', 'proxy_user_role guest;')
            . location('/free', '')
            . location('/two', 'proxy_user_role reader;',
                       'proxy_user_role guest POST;')
            . location('/limit', 'proxy_user_role reader GET;
                       limit_except GET { proxy_user_role writer; }'));

    check_cases($nginx, 'ceiling',
        ['a reader reads', 'GET /careless', $reader, 200, 'ok'],
        ['GET has HEAD with it', 'HEAD /careless', $reader, 200, 'ok'],
        ['a reader never writes', 'POST /careless', $reader, 403, @no],
        ['nor by a line that says so', 'POST /named', $reader, 403, @no],
        ['but what both say', 'GET /named', $reader, 200, 'ok'],
        ['a line outside the profile is for nobody', 'POST /none', $reader,
         403, @no],
        ['nor for what the profile has and the line has not', 'GET /none',
         $reader, 403, @no],
        ['an unknown method is above every ceiling', 'PURGE /careless',
         $reader, 403, @no],
        ['no profile, no ceiling', 'PURGE /guest', $guest, 200, 'ok'],
        ['the role is named, the method is not', 'DELETE /two', $reader,
         403, @no],
        ['of two roles each has its own', 'POST /two', $guest, 200, 'ok'],
        ['a role is missing all the same', 'GET /careless', $nobody, 403,
         'role_missing'],
        ['no token', 'GET /careless', undef, 401, 'no_credential'],
        ['without a line nobody is asked for a role', 'POST /free', $reader,
         200, 'ok']);

    check_cases($nginx, 'inherit',
        ['a writer reads where readers may', 'GET /named', $writer, 200,
         'ok'],
        ['and writes where writers may', 'POST /careless', $writer, 200,
         'ok'],
        ['but in a line for readers is one', 'POST /named', $writer, 403,
         @no],
        ['an admin reads by two steps', 'GET /named', $admin, 200, 'ok'],
        ['writes by one', 'PUT /careless', $admin, 200, 'ok'],
        ['and deletes by none', 'DELETE /all', $admin, 200, 'ok'],
        ['which no other line gives', 'DELETE /careless', $admin, 403, @no],
        ['a reader is no writer', 'POST /limit', $reader, 403,
         'role_missing'],
        ['a writer is a reader', 'GET /limit', $writer, 200, 'ok'],
        ['an admin is a writer', 'PUT /limit', $admin, 200, 'ok'],
        ['inherited is not held', 'GET /guest', $admin, 403,
         'role_missing']);

    my $answer = $nginx->get('/named', $admin);
    is $answer->{headers}{'x-roles'}, 'admin',
        'the roles that are told are those that are held';
    like $answer->{headers}{'x-rule'}, qr/:\d+$/, 'and the line is one';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}


# A profile may stand before or behind what uses it, also in another file.

{
    write_file('late.conf', $PROFILES);
    my $nginx = start_nginx(
        http => "$ISSUER proxy_user on; $SHOWS
                 proxy_user_role reader GET POST;",
        server => location('/a', '') . location('/b', 'proxy_user_role
                                                       writer POST;')
            . "}\n include \$TEST_NGINX_TMP/late.conf; server {");
    check_cases($nginx, 'late and inherited',
        ['reads', 'GET /a', $reader, 200, 'ok'],
        ['never writes', 'POST /a', $reader, 403, @no],
        ['a line below replaces', 'GET /b', $reader, 403, 'role_missing'],
        ['a writer writes', 'POST /b', $writer, 200, 'ok']);

    $nginx->configure(http => "$ISSUER proxy_user on; $SHOWS
                               proxy_user_role reader GET POST;
                               proxy_user_profile reader { }");
    ok $nginx->reload, 'another profile by a reload';
    is $nginx->ask('POST', '/', headers =>
                   [[Authorization => "Bearer $reader"]])->{status}, 405,
        'lets a reader write: nginx itself does not want it';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}


# Grants that end by themselves.

{
    redis_start();
    my $now = time;
    my %granted = (
        fresh => "oncall\@$now", old => 'oncall@' . ($now - 3700),
        undated => 'oncall', short => "oncall\@$now=" . ($now - 1),
        dated => 'oncall=' . ($now + 1000), later => "oncall\@$now="
            . ($now + 1000), other => 'reader',
        root => 'root@' . ($now - 3700), again => 'oncall@'
            . ($now - 3700) . " oncall\@$now");
    my $n = 0;
    seed_user(id => user_id(++$n), sub => $_, roles => $granted{$_})
        for sort keys %granted;

    my $nginx = start_nginx(
        http => "proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET;
                 $ISSUER $SHOWS
                 proxy_user_profile oncall { max_grant 1h; }
                 proxy_user_profile root { inherit oncall; }
                 proxy_user_profile brief { max_grant 4s; }",
        server => "proxy_user on;\n"
            . location('/a', 'proxy_user_role oncall;')
            . location('/brief', 'proxy_user_role brief;')
            . location('/other', 'proxy_user_role reader;'));

    my $as = sub { token(claims => { sub => $_[0] }) };
    for my $pass ('cold', 'warm') {
        check_cases($nginx, "max_grant, $pass",
            ['within the hour', 'GET /a', $as->('fresh'), 200, 'ok'],
            ['after it', 'GET /a', $as->('old'), 403, 'role_missing'],
            ['its own end is earlier', 'GET /a', $as->('short'), 403,
             'role_missing'],
            ['its own end is later', 'GET /a', $as->('later'), 200, 'ok'],
            ['not known when', 'GET /a', $as->('undated'), 403,
             'role_missing'],
            ['not known when, with an end', 'GET /a', $as->('dated'), 403,
             'role_missing'],
            ['given again', 'GET /a', $as->('again'), 200, 'ok'],
            ['inherited', 'GET /a', $as->('root'), 403, 'role_missing'],
            ['a role without', 'GET /other', $as->('other'), 200, 'ok'],
            ['a token gives no grant', 'GET /a', with('oncall'), 200,
             'ok']);
    }

    my ($bob) = user_id(++$n);
    seed_user(id => $bob, sub => 'bob');
    is verdict_of($nginx, $as->('bob')), 403, 'bob is not on call';
    proxy_user(qw(user grant), $bob, 'oncall', '--reason', 'test');
    ok within(5, sub { verdict_of($nginx, $as->('bob')) == 200 }),
        'a grant by the command says when it was given';

    # Two grants end by themselves, one by the command's word and one by its
    # profile's, to the second, for people who are cached.
    my %on = (carol => ['/a', 'oncall', '--for', '4s'],
              dave => ['/brief', 'brief']);
    my (%end, %late);
    for my $who (sort keys %on) {
        my ($uri, @grant) = @{ $on{$who} };
        seed_user(id => user_id(++$n), sub => $who);
        proxy_user(qw(user grant), user_id($n), @grant);
        my ($from, $to) = redis('HGET', '{pu}:user:' . user_id($n), 'roles')
            =~ /^\w+@(\d+)(?:=(\d+))?$/;
        $end{$who} = $to // $from + 4;
        is $end{$who} - $from, 4, "$who: four seconds";
        ok defined within(3, sub {
            verdict_of($nginx, $as->($who), $uri) == 200 }), 'begin';
        verdict_of($nginx, $as->($who), $uri) for 1 .. 3;
    }

    my ($asked, $entries) = (calls('evalsha'), redis('XLEN', '{pu}:log'));
    within(8, sub {
        for my $who (grep { !$late{$_} } keys %on) {
            $late{$who} = Time::HiRes::time() - $end{$who}
                if verdict_of($nginx, $as->($who), $on{$who}[0]) == 403;
        }
        keys %late == 2;
    });
    for my $who (sort keys %on) {
        cmp_ok $late{$who} // -9, '>=', 0, "$who: not early";
        cmp_ok $late{$who} // 9, '<', 1.5, "$who: to the second";
    }
    cmp_ok calls('evalsha') - $asked, '<', 10, 'nobody was asked about';
    is redis('XLEN', '{pu}:log'), $entries, 'and nobody has written';
    ok $nginx->stop, 'an end';
    ok !$nginx->trouble, 'without trouble';
}

sub verdict_of {
    my ($nginx, $token, $uri) = @_;
    return $nginx->get($uri // '/a', $token)->{status};
}


# nginx -t.

sub said {
    my ($text) = @_;
    return nginx_t(http => "$ISSUER\n$text", server => 'proxy_user on;');
}

for (
    ['proxy_user_profile reader { methods get; }',
     qr/"methods" has the value "get", allowed is one or more of GET HEAD/],
    ['proxy_user_profile READER { }',
     qr/"proxy_user_profile" has the value "READER", allowed is a role name/],
    ['proxy_user_profile { }', qr/invalid number of arguments.*profile/],
    ['proxy_user_profile a b { }', qr/invalid number of arguments.*profile/],
    ['proxy_user_profile a;', qr/"proxy_user_profile" has no opening "\{"/],
    ['proxy_user_profile a { } proxy_user_profile a { }',
     qr/"proxy_user_profile" has the role "a", which another one has/],
    ['proxy_user_profile a { methods GET; methods POST; }',
     qr/"methods" directive is duplicate/],
    ['proxy_user_profile a { rate 5; }',
     qr/"rate" has the value "5", allowed is a number from 1 to 1000000/],
    ['proxy_user_profile a { rate 5r\/s burst; }',
     qr/"rate" has the value "burst", allowed is burst= and a number/],
    ['proxy_user_profile a { quota 5 per year; }',
     qr/"quota" has the value "year", allowed is minute, hour, day or month/],
    ['proxy_user_profile a { quota 5 day; }', qr/"quota" has 2 values/],
    ['proxy_user_profile a { concurrency 0; }',
     qr/"concurrency" has the value "0", allowed is a number from 1/],
    ['proxy_user_profile a { max_grant 0; }',
     qr/"max_grant" has the value "0", allowed is a time/],
    ['proxy_user_profile a { inherit b; } proxy_user_profile b '
     . '{ inherit a; }', qr/"inherit" goes round in a ring: a -> b -> a/],
    ['proxy_user_profile a { inherit a; }', qr/in a ring: a -> a/],
    ['proxy_user_profile a { allow all; }',
     qr/unknown directive "allow" in a profile, allowed are methods/],
    ['proxy_user_profile a { methods; }', qr/"methods" has 0 values/],
) {
    my ($text, $pattern) = @$_;
    $text =~ s{\\/}{/}g;
    my ($ok, $all) = said($text);
    is $ok, 0, "refused: $text";
    like $all, qr/\[emerg\].*$pattern/, 'and why';
}

for my $place ('server', 'location') {
    my ($ok, $all) = nginx_t($place => 'proxy_user_profile a { }');
    is $ok, 0, "not in $place";
    like $all, qr/"proxy_user_profile" directive is not allowed here/,
        'and why';
}

{
    my ($ok, $all) = said('proxy_user_profile a { inherit b; }');
    is $ok, 1, 'a role without a profile may be inherited';
    like $all, qr/\[warn\].*"proxy_user_profile a" inherits "b", which has no/,
        'with a warning';

    ($ok, $all) = said($PROFILES . 'proxy_user_profile x { rate 10r/s '
        . 'burst=20; quota 1000 per day; concurrency 4; max_grant 8h; }');
    is $ok, 1, 'all that a profile can say';
    unlike $all, qr/\[warn\]/, 'without a warning';
}

done_testing;
