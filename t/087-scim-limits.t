# SCIM at its limits: large bodies, large groups, deep filters, a hundred
# operations too many, files of tokens that are none, a Redis that is away;
# and how soon a suspension by a directory is in force everywhere.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Scim;
use ProxyUser::Store;
use Test::More;

use Digest::SHA qw(sha256 sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Time::HiRes qw(sleep time);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $redis = redis_start();
my $MIB = 1024 * 1024;

# How often Redis has run the script, and for how many microseconds.
sub evalsha {
    return redis('INFO', 'commandstats')
        =~ /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m;
}

sub status { $_[0]{status} . ($_[0]{type} ? " $_[0]{type}" : '') }


subtest 'configurations that are refused' => sub {
    my $hex = sha256_hex('x');
    my $file = token_file('good', "okta:$hex", '', '# a comment',
                          "okta:" . uc sha256_hex('y'));
    my $line = "proxy_user_scim token_file=$file;";
    my $http = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET;';

    my $try = sub {
        my ($server, $more) = @_;
        return nginx_t(http => $more // $http, server => $server);
    };

    my ($ok, $said) = $try->("proxy_user on;\nlocation /s/ { $line }");
    is($ok, 1, 'a good one') or diag $said;

    for my $bad (
        ['no file', "location /s/ { proxy_user_scim x; }",
         qr/"proxy_user_scim" has "x", allowed is "token_file=path"/],
        ['a file that is not there',
         'location /s/ { proxy_user_scim token_file=nowhere; }',
         qr/"proxy_user_scim" token_file: .*nowhere/],
        ['twice', "location /s/ { $line $line }", qr/is duplicate/],
        ['a regular expression', "location ~ /s/ { $line }",
         qr/needs a location that is a prefix/],
        ['one path', "location = /s/ { $line }", qr/that is a prefix/],
        ['a name', "location \@s { $line }", qr/that is a prefix/],
        ['beside proxy_user', "location /s/ { proxy_user on; $line }",
         qr/"proxy_user" beside "proxy_user_scim".*allowed is "off"/],
        ['a role alone', 'location /s/ { proxy_user_scim_role "A" a; }',
         qr/allowed beside "proxy_user_scim" only/],
        ['no role', "location /s/ { $line proxy_user_scim_role \"A\" A; }",
         qr/has the role "A", allowed are 1 to 64/],
        ['a group twice', "location /s/ { $line proxy_user_scim_role A a;"
         . " proxy_user_scim_role A b; }", qr/has the group "A" twice/],
        ['in the server', $line, qr/is not allowed here/],
    ) {
        my ($what, $server, $says) = @$bad;
        my ($taken, $text) = $try->($server);
        is($taken, 0, "$what is refused");
        like($text, $says, "$what: and why");
    }

    my ($taken, $text) = $try->("location /s/ { $line }", '');
    is($taken, 0, 'without Redis it is refused');
    like($text, qr/"proxy_user_scim" needs "proxy_user_redis"/, 'and why');

    my $n = 0;
    for my $bad (['no hex', 'okta:xyz', 1], ['short', "a:$hex", 2, 'a:12'],
                 ['no name', ":$hex", 1], ['a space', "a b:$hex", 1],
                 ['a token', 'secret', 1], ['blank', " a:$hex", 1],
                 ['twice', "a:$hex", 2, "b:$hex"],
                 ['more', "a:$hex:1", 1], ['long', 'a' x 65 . ":$hex", 1])
    {
        my ($what, $first, $at, @more) = @$bad;
        my $name = token_file('bad-' . ++$n, $first, @more);
        ($taken, $text) = $try->(
            "location /s/ { proxy_user_scim token_file=$name; }");
        is($taken, 0, "$what is refused");
        like($text, qr/line $at of "\Q$name\E" is no line of a token_file/,
             "$what: file and line");
        unlike($text, qr/\Q$first\E/, "$what: the line is not shown");
    }

    my $empty = token_file('empty', '# nothing');
    ($taken, $text) = $try->(
        "location /s/ { proxy_user_scim token_file=$empty; }");
    is($taken, 0, 'an empty one is refused');
    like($text, qr/"\Q$empty\E" has no token/, 'and why');
};


my $nginx = scim_nginx(server => <<'END', workers => 2);
client_max_body_size 10m;
location /scim/small/ {
    client_max_body_size 1k;
    proxy_user_scim token_file=$TEST_NGINX_TMP/scim-tokens;
}
END


subtest 'bodies' => sub {
    for my $case (['brackets', '[' x $MIB, 400],
                  ['objects', '{"a":' x 1000, 400],
                  ['a string', '{"userName":"' . 'x' x ($MIB - 15) . '"}',
                   400],
                  ['one byte too many', ' ' x ($MIB + 1), 413],
                  ['two MiB', '[' x (2 * $MIB), 413])
    {
        my ($what, $body, $expected) = @$case;
        my $r = scim('POST', '/Users', $body);
        is($r->{status}, $expected, $what);
        is($r->{json}{status}, $expected, "$what: said in SCIM");
    }

    # without a length, piece by piece, and more than is allowed
    my $c = $nginx->connect;
    $c->send("POST /scim/v2/Users HTTP/1.1\r\nHost: localhost\r\n"
             . "Authorization: Bearer $SECRET\r\n"
             . "Transfer-Encoding: chunked\r\n\r\n");
    for (1 .. 40) {
        $c->send(sprintf("%x\r\n", 32768) . '[' x 32768 . "\r\n") or last;
    }
    my $r = $c->answer(timeout => 20);
    is($r->{status}, 413, 'chunked, too large');
    like($r->{body}, qr/"status":"413"/, 'said in SCIM');

    my $body = '{"userName":"in-pieces"}';
    $c = $nginx->connect;
    $c->send("POST /scim/v2/Users HTTP/1.1\r\nHost: localhost\r\n"
             . "Authorization: Bearer $SECRET\r\n"
             . "Transfer-Encoding: chunked\r\n\r\n");
    for my $byte (split //, $body) {
        $c->send("1\r\n$byte\r\n");
    }
    $c->send("0\r\n\r\n");
    is($c->answer(timeout => 20)->{status}, 201, 'chunked, byte by byte');

    $c = $nginx->connect;
    $c->ask('POST', '/scim/small/Users', token => $SECRET,
            body => '{"userName":"' . 'x' x 1100 . '"}');
    is($c->answer(timeout => 20)->{status}, 413, 'a smaller limit counts');

    $r = scim('POST', '/Bulk', { Operations => [
        map { { method => 'DELETE', path => '/Users/x' } } 1 .. 1001 ] });
    is($r->{status}, 413, '1,001 operations');
    $r = scim('POST', '/Bulk', { Operations => [
        map { { method => 'DELETE', path => '/Users/x' } } 1 .. 1000 ] });
    is(scalar @{ $r->{json}{Operations} }, 1000, '1,000 are done');

    $r = scim('POST', '/Users', { userName => 'schema',
        schemas => ['urn:nobody:knows:this', $CORE_USER],
        'urn:nobody:knows:this:2.0:User' => { a => [1, { b => undef }] } });
    is($r->{status}, 201, 'a schema nobody knows');
    is_deeply($r->{json}{'urn:nobody:knows:this:2.0:User'},
              { a => [1, { b => undef }] }, 'is kept as it was said');
};


subtest 'filters' => sub {
    my $ask = sub {
        return scim('POST', '/Users/.search', { filter => $_[0] });
    };
    my $nested = sub { '(' x $_[0] . 'title pr' . ')' x $_[0] };

    is($ask->($nested->(32))->{status}, 200, '32 deep');
    is(status($ask->($nested->($_))), '400 invalidFilter', "$_ deep")
        for 33, 1000, 5000;
    is(status($ask->('not ' x 3000 . 'a pr')), '400 invalidFilter', 'not');
    is(status($ask->('a[' x 100 . 'b pr' . ']' x 100)), '400 invalidFilter',
       'brackets');
    is($ask->(join ' or ', ('userName eq "a"') x 800)->{status}, 200,
       'a long chain');
    is(status($ask->(join ' or ', ('a pr') x 3000)), '400 invalidFilter',
       'too long a chain');
    is(status($ask->('a' x 20000 . ' pr')), '400 invalidFilter', 'too long');
    is(status($ask->("a co \"\0\"")), '400 invalidFilter', 'a raw NUL');
};


subtest 'a group of ten thousand' => sub {
    my @ids = map { 'u_' . 'B' x 17 . sprintf '%05d', $_ } 1 .. 10000;

    redis('EVAL', <<'END', 0);
for i = 1, 10000 do
    local id = 'u_BBBBBBBBBBBBBBBBB' .. string.format('%05d', i)
    redis.call('HSET', '{pu}:user:' .. id, 'state', 'active', 'version', '1',
               'roles', '', 'user_name', 'b' .. i, 'created', '1')
    redis.call('ZADD', '{pu}:users', 1, id)
end
END

    my $before = redis('XLEN', '{pu}:log');
    my $r = scim('POST', '/Groups', { displayName => 'big', members =>
        [map { { value => $_ } } @ids] });
    is($r->{status}, 201, 'made');
    is(scalar @{ $r->{json}{members} }, 10000, 'with all of them');
    is(redis('XLEN', '{pu}:log') - $before, 10001, 'an entry each');
    is(roles_of($ids[$_]), 'big', "member $_ has the role") for 0, 4567, 9999;

    my $group = $r->{json}{id};
    is(patch("/Groups/$group", [remove => "members[value eq \"$ids[7]\"]"])
       ->{status}, 204, 'one of them goes');
    is(roles_of($ids[7]) . '|' . roles_of($ids[8]), '|big', 'and only he');

    $r = scim('PUT', "/Groups/$group", { displayName => 'huge', members =>
        [map { { value => $_ } } @ids[5000 .. 9999]] });
    is($r->{status}, 200, 'half of them, under another name');
    is(join('|', map { roles_of($ids[$_]) } 0, 4999, 5000, 9999),
       '||huge|huge', 'roles');

    is(scim('DELETE', "/Groups/$group")->{status}, 204, 'deleted');
    is(scalar(grep { roles_of($ids[$_ * 100]) ne '' } 0 .. 99), 0,
       'nobody keeps the role');

    # what is indexed is one look-up, and a page is a page, however many
    redis('SET', "{pu}:$_->[0]:" . encode_base64url(sha256($_->[1])), $ids[7])
        for ['name', 'b8'], ['external', 'x8'];
    redis('HSET', "{pu}:user:$ids[7]", 'external_id', 'x8');
    for (['userName', 'filter=' . uri_escape('userName eq "B8"'), 1],
         ['externalId', 'filter=' . uri_escape('externalId eq "x8"'), 1],
         ['id', 'filter=' . uri_escape("id eq \"$ids[7]\""), 1],
         ['nobody', 'filter=' . uri_escape('userName eq "nobody"'), 0],
         ['the first page', 'count=100', 100],
         ['a page in the middle', 'startIndex=5000&count=200', 200])
    {
        my ($what, $query, $shown) = @$_;
        my ($calls, $usec) = evalsha();
        my $page = scim('GET', "/Users?$query");
        my ($now, $then) = evalsha();
        is(scalar @{ $page->{json}{Resources} }, $shown, "$what: users");
        is($now - $calls, 1, "$what: one question to Redis");
        cmp_ok($then - $usec, '<', 50_000, "$what: of less than 50 ms");
    }

    $r = scim('GET', '/Users?filter=' . uri_escape('title pr'));
    is($r->{json}{totalResults}, 0, 'ten thousand are asked, in pieces');
    $r = scim('GET', '/Users?filter=' . uri_escape('userName sw "b"'));
    cmp_ok($r->{json}{totalResults}, '>', 200, 'a full page says so');
};


subtest 'Redis is away' => sub {
    my $id = make_user('zoe');

    $redis->freeze;
    my $r = scim('PATCH', "/Users/$id", { Operations => [{ op => 'replace',
        path => 'active', value => $false }] });
    $redis->thaw;
    is($r->{status}, 503, 'no answer in time');
    is($r->{json}{status}, '503', 'said in SCIM');
    ok(defined within(10, sub { scim('GET', '/Users')->{status} == 200 }),
       'and it is back');

    # the other worker may find Redis a little later
    ok(defined within(10, sub {
        redis('SCRIPT', 'FLUSH');
        patch("/Users/$id", [replace => 'title', 'x'])->{status} == 200;
    }), 'a script that was lost is loaded again');
    redis('HSET', "{pu}:user:$id", 'version', 'x');
    is(scim('GET', "/Users/$id")->{status}, 503, 'a broken record');
};


# Off is off, whatever the record has become. Some of it is put right by that;
# if not, the answer is no 2xx, and the user is off all the same.
subtest 'a record that cannot be read' => sub {
    ok(!$nginx->trouble, 'no trouble so far');
    $nginx = scim_nginx(redis => 'timeout=2s', workers => 2);
    my $n = 0;

    for my $case (['version', 'x', 1], ['state', 'ACTIVE', 1],
                  ['state', '', 1], ['epoch', 'yesterday', 0],
                  ['extra', 'x' x 90000, 0])
    {
        my ($field, $value, $mends) = @$case;

        for my $way ('PATCH', 'Entra ID', 'PUT', 'If-Match', 'DELETE') {
            my $name = 'broken-' . ++$n;
            my $what = "$field $way";
            my $id = make_user($name);
            my @off = { op => 'Replace', value => { active => 'False' } };
            redis('HSET', "{pu}:user:$id", $field, $value);

            for my $not ([replace => 'title', 'x'],
                         [replace => 'active', $true],
                         [remove => 'active'])
            {
                my $r = patch("/Users/$id", $not);
                cmp_ok($r->{status}, '>=', 400, "$what: @$not[0, 1]: refused");
            }
            is(field($id, $field), $value, "$what: as it was");

            my $r = $way eq 'DELETE' ? scim('DELETE', "/Users/$id")
                : $way eq 'PUT' ? scim('PUT', "/Users/$id",
                    { userName => $name, active => $false })
                : $way eq 'PATCH' ? patch("/Users/$id",
                    [replace => 'title', 'y'], [replace => 'active', $false])
                : scim('PATCH', "/Users/$id", { Operations => \@off },
                       $way eq 'If-Match' ? ('If-Match' => '*') : ());

            is(field($id, 'state'),
               $way eq 'DELETE' ? 'deleted' : 'suspended', "$what: is off");
            is($r->{status}, $way eq 'DELETE' ? 204 : $mends ? 200 : 503,
               "$what: answer");
            like($r->{json}{detail}, qr/the user is suspended, but/,
                 "$what: which says so") if $r->{status} == 503;
            is(field($id, 'suspended_by'), 'scim', "$what: by whom")
                if $way ne 'DELETE';
        }
    }

    my $id = make_user('not-a-hash');
    redis('DEL', "{pu}:user:$id");
    redis('SET', "{pu}:user:$id", 'x');
    is(patch("/Users/$id", [replace => 'active', $false])->{status}, 503,
       'what is no record cannot be suspended, and nobody says it was');
};


subtest 'a suspension is in force everywhere' => sub {
    local $ENV{TEST_NGINX_BACKEND_PORT} = ProxyUser::Redis::free_port();
    my $other = start_nginx(http => store_http(), server => store_server(),
                            workers => 2);
    my @late;

    warm($_) for $nginx, $other;

    for my $n (1 .. 12) {
        my ($token, $id) = a_user();
        is(verdict($_, $token), '200 ok', 'let in') for $nginx, $other;

        my $r = patch("/Users/$id", [Replace => 'active', 'False']);
        my $since = time;
        is($r->{status}, 200, 'switched off');

        for ($nginx, $other) {
            my $on = $_;
            ok(defined within(2, sub {
                verdict($on, $token) eq '403 user_suspended' }), 'refused');
        }

        push @late, time - $since;
    }

    @late = sort { $a <=> $b } @late;
    diag(sprintf 'in force in both after %.0f ms (median), %.0f ms (most)',
         1000 * $late[@late / 2], 1000 * $late[-1]);
    ok(!$other->trouble, 'no trouble');
};


ok(!$nginx->trouble, 'no trouble');
done_testing();
