# The command proxy-user as a person or a script meets it: exit codes, what
# is printed where, and what it does to a real redis-server. The script that
# makes the changes has its own file, 801-script.t, and what can be wrong with
# the way to Redis 802-command-redis.t.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Redis qw(redis_start user_id seed_user);
use ProxyUser::Token qw(handle_digest);

my $ISSUER = 'https://idp.example.com';
my $ID = user_id(1);

my $server = redis_start();
my ($url, $tmp) = command_start($server);
my $n;


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


# Has the manual page every verb in its synopsis, and every option that --help
# knows among its options?
sub in_manual {
    my (@verbs) = @_;

    open my $fh, '<', dirname(__FILE__) . '/../docs/proxy-user.1' or die $!;
    my $page = do { local $/; <$fh> } =~ s/\\-/-/gr;
    my ($synopsis) = $page =~ /^\.SH SYNOPSIS\n(.*?)^\.SH /ms;
    my ($options) = $page =~ /^\.SH OPTIONS\n(.*?)^\.SH /ms;
    my %tag = map { $_ => 1 } $options =~ /^\.TP\n\.B\w* (--[\w-]+)/mg;
    my @line = map { s/^\.\w+ ?//mgr =~ s/\s+/ /gr }
        split /^\.br\n/m, $synopsis;

    for my $level (@verbs) {
        my ($noun, $verb) = @$level;
        ok((grep { /\[ OPTIONS \] \Q$noun\E\b/
                   && (!defined $verb || /\b\Q$verb\E\b/) } @line),
           "@$level is in the synopsis");
        my @missing = grep { !$tag{$_} }
            (raw(@$level, '--help'))[1] =~ /^  (--[\w-]+)/mg;
        is("@missing", '', 'and what it takes among the options');
    }
}


subtest 'help at every level' => sub {
    my @verbs = map { my ($noun, @verb) = @$_; map { [$noun, $_] } @verb } (
        [user => qw(list show create link suspend resume delete revoke grant
                    ungrant)],
        [key => qw(create list rotate revoke)], [cert => qw(add list revoke)],
        ['scim-token' => 'create'], [token => 'check']);

    for my $level ([], ['user'], ['key'], ['cert'], ['token'], ['log'],
                   ['doctor'], @verbs) {
        my ($code, $out, $err) = raw(@$level, '--help');

        is($code, 0, "@$level --help");
        is($err, '', 'to stdout');
        like($out, qr/^usage: proxy-user /, 'usage');
        like($out, qr/proxy-user \S.*\n\z|example|--reason TEXT.*\n\z/is,
             'more than that');
        is((grep { length > 80 } split /\n/, $out), 0, 'fits 80 columns')
            or diag(join "\n", grep { length > 80 } split /\n/, $out);
        is((raw('--help', @$level))[1], $out, 'the option may stand first');
    }

    in_manual(@verbs, [token => 'revoke'], ['log'], ['doctor']);

    like((raw('user', 'grant', '-h'))[1], qr/--for TIME/, 'its options');
    like((raw('user', 'grant', '-h'))[1], qr/--for 30m/, 'an example');
};


subtest 'wrong usage' => sub {
    my ($code, $out, $err) = raw();
    is($code, 2, 'no words');
    like($err, qr/^usage: /, 'usage on stderr');

    refused("$_->[0]", 2, @$_[1 .. $#$_]) for (
        ['noun', qr/"nope".*--help/, 'nope'],
        ['noun with help', qr/"nope"/, 'nope', '--help'],
        ['no verb', qr/"user" needs a verb.*list show create/, 'user'],
        ['verb', qr/"frob".*list show create/, 'user', 'frob'],
        ['verb with help', qr/"frob"/, 'user', 'frob', '--help'],
        ['option', qr/"--frob".*--help/, '--frob', 'user', 'list'],
        ['option with value', qr/"--frob"/, '--frob=1', 'user', 'list'],
        ['short option', qr/"-x"/, 'user', 'list', '-x'],
        ['flag with value', qr/--json takes no value/, '--json=1', 'log'],
        ['no value', qr/--prefix needs a value/, 'user', 'list', '--prefix'],
        ['empty value', qr/--prefix needs a value/, 'user', 'list',
         '--prefix='],
        ['prefix', qr/"a b" is no prefix.*A-Za-z/, 'user', 'list',
         '--prefix', 'a b'],
        ['prefix with brace', qr/"a}b"/, 'user', 'list', '--prefix', 'a}b'],
        ['option of another verb', qr/--for .*"user list".*--state/, 'user',
         'list', '--for', '3m'],
        ['follow with users', qr/--follow does not go/, 'user', 'list',
         '--follow'],
        ['nobody', qr/"user show" needs WHO/, 'user', 'show'],
        ['no role', qr/needs WHO ROLE/, 'user', 'grant', $ID],
        ['one too many', qr/"x" is one word too many/, 'user', 'show', $ID,
         'x'],
        ['many too many', qr/one word too many/, 'user', 'show', 1 .. 20],
        ['word for log', qr/one word too many/, 'log', 'x'],
        ['who', qr/"bob".*name:<user_name>.*sub:<issuer>#<subject>/, 'user',
         'show', 'bob'],
        ['short id', qr/names no user/, 'user', 'show', 'u_AAAA'],
        ['empty name', qr/names no user/, 'user', 'show', 'name:'],
        ['sub without subject', qr/"#"/, 'user', 'show', "sub:$ISSUER"],
        ['sub with empty subject', qr/"#"/, 'user', 'show', "sub:$ISSUER#"],
        ['sub without issuer', qr/"#"/, 'user', 'show', 'sub:#alice'],
        ['who for log', qr/names no user/, 'log', '--user', 'bob'],
        ['role', qr/"ADMIN" is no role name.*lower-case/, 'user', 'grant',
         $ID, 'ADMIN'],
        ['empty role', qr/no role name/, 'user', 'grant', $ID, ''],
        ['role to take', qr/no role name/, 'user', 'ungrant', $ID, 'a b'],
        ['role to list', qr/--role/, 'user', 'list', '--role', 'a,b'],
        ['state', qr/"gone".*active, suspended and deleted/, 'user', 'list',
         '--state', 'gone'],
        ['limit', qr/"0" is no number/, 'user', 'list', '--limit', '0'],
        ['limit word', qr/"ten"/, 'user', 'list', '--limit', 'ten'],
        ['limit negative', qr/"-1"/, 'user', 'list', '--limit', '-1'],
        ['limit huge', qr/1000000/, 'user', 'list', '--limit', '9' x 30],
        ['duration', qr/"soon".*30m/, 'user', 'grant', $ID, 'a', '--for',
         'soon'],
        ['no duration', qr/"0s"/, 'user', 'grant', $ID, 'a', '--for', '0s'],
        ['long duration', qr/100y/, 'user', 'grant', $ID, 'a', '--for',
         '101y'],
        ['time', qr/"yesterday".*10m/, 'log', '--since', 'yesterday'],
        ['month 13', qr/no time/, 'log', '--since', '2026-13-01'],
        ['half a date', qr/no time/, 'log', '--since',
         '2026-01-01T12:00:00'],
        ['year 10000', qr/no time/, 'log', '--since', '9' x 15],
        ['reason', qr/--reason has 2000 bytes/, 'user', 'suspend', $ID,
         '--reason', 'x' x 2000],
    );

    refused('url', 2, qr/redis:\/\/, rediss:\/\/ or unix:/, '--redis', $_,
            'log') for 'localhost', 'http://x', 'redis:', 'unix:x';
    refused('no url', 2, qr/--redis needs a value/, '--redis', '', 'log');
    refused('port', 2, qr/port/, '--redis', "redis://h:$_", 'log')
        for '0', '65536', 'x', '-1', '';
    refused('database', 2, qr/database/, '--redis', "redis://h/$_", 'log')
        for 'x', '-1', '99999999999';
    refused('host', 2, qr/host/, '--redis', $_, 'log')
        for 'redis://', 'redis:///0', 'redis://:6379';
    refused('bracket', 2, qr/\]/, '--redis', 'redis://[::1:6379', 'log');
};


subtest 'a password in the URL is refused and not repeated' => sub {
    for my $bad ('redis://u:hunter2@h', 'redis://:hunter2@h/0',
                 'rediss://u:hunter2@h') {
        my $err = refused('password', 2, qr/--password-file/, '--redis',
                          $bad, 'log');
        unlike($err, qr/hunter2/, 'not repeated');
    }
};


subtest 'options stand anywhere, and -- ends them' => sub {
    fresh();

    my $out = done('last', 'user', 'show', $ID, '--prefix', 'pu');
    is(done('first', '--prefix', 'pu', 'user', 'show', $ID), $out, 'first');
    is(done('between', 'user', '--prefix=pu', 'show', $ID), $out, 'between');
    is(done('ended', 'user', 'show', '--', $ID), $out, 'ended');

    refused('after --', 2, qr/too many/, 'user', 'show', '--', $ID,
            '--json');
    refused('word with -', 2, qr/"--x" names no user/, 'user', 'show', '--',
            '--x');
};


subtest 'the environment stands in for options' => sub {
    fresh();
    local $ENV{PROXY_USER_REDIS} = $url;

    like((raw('user', 'list'))[1], qr/\Q$ID/, 'PROXY_USER_REDIS');

    local $ENV{PROXY_USER_PREFIX} = 'other';
    unlike((raw('user', 'list'))[1], qr/\Q$ID/, 'PROXY_USER_PREFIX');
    like((raw('--prefix', 'pu', 'user', 'list'))[1], qr/\Q$ID/,
         'the option wins');

    $ENV{PROXY_USER_PREFIX} = 'a b';
    is((raw('user', 'list'))[0], 2, 'a wrong one is told');
};


subtest 'user list' => sub {
    redis('FLUSHALL');
    like(done_or_note('empty', 'user', 'list'), qr/no such user/, 'empty');
    is_deeply(json('empty', 'user', 'list'), { users => [],
              more => JSON::PP::false }, 'empty in JSON');

    seed_user(id => user_id($_), sub => "user$_", on => $server,
              created => 1000 + $_, roles => $_ % 2 ? 'odd' : 'even=1',
              state => $_ == 3 ? 'suspended' : 'active') for 1 .. 5;
    redis('ZADD', '{pu}:users', 1000 + $_, user_id($_)) for 1 .. 5;

    my @line = split /\n/, done('all', 'user', 'list');
    is(@line, 6, 'a heading and five');
    like($line[0], qr/^ID +STATE +TYPE +NAME +CREATED +ROLES$/, 'heading');
    like($line[1], qr/^\Q@{[user_id(1)]}\E  active +human +user1 +1970-01-01T00:16:41Z  odd$/,
         'a row');
    like($line[2], qr/ -$/, 'a grant that has ended is none');
    is_deeply([map { /^(\S+)/ } @line[1 .. 5]], [map { user_id($_) } 1 .. 5],
              'by time of creation');
    my %column;
    $column{index $_, '1970'}++ for @line[1 .. 5];
    is(keys %column, 1, 'aligned');

    my $list = json('state', 'user', 'list', '--state', 'suspended');
    is_deeply([map { $_->{id} } @{ $list->{users} }], [user_id(3)],
              'by state');
    $list = json('role', 'user', 'list', '--role', 'odd');
    is(@{ $list->{users} }, 3, 'by role');
    is(@{ json('ended', 'user', 'list', '--role', 'even')->{users} }, 0,
       'by a role that has ended');

    my ($code, $out, $err) = run('user', 'list', '--limit', 2);
    is($code, 0, 'cut');
    is(($out =~ tr/\n//), 3, 'two of them');
    like($err, qr/only the first 2.*--limit/, 'and it says so');
    is(json_of((run('--json', 'user', 'list', '--limit', 2))[1])->{more},
       JSON::PP::true, 'in JSON too');
    is((run('user', 'list', '--limit', 5))[2], '', 'exactly so many');
};


sub done_or_note {
    my ($what, @args) = @_;
    my ($code, $out, $err) = run(@args);
    is($code, 0, $what);
    return $out . $err;
}

subtest 'a long list is read in pages' => sub {
    redis('FLUSHALL');
    redis('EVAL', <<'LUA', 1, '{pu}:users');
        for i = 1, 1234 do
            local id = string.format('u_%022d', i)
            redis.call('HSET', '{pu}:user:' .. id, 'state', 'active',
                       'name', 'n' .. i, 'created', i)
            redis.call('ZADD', KEYS[1], i, id)
        end
LUA

    my $list = json('all', 'user', 'list', '--limit', 5000);
    is(@{ $list->{users} }, 1234, 'all');
    is($list->{users}[-1]{name}, 'n1234', 'in order');
    is((split /\n/, (run('user', 'list'))[1]), 1001, 'the default limit');
    like((run('user', 'list'))[2], qr/first 1000/, 'and it says so');
};


subtest 'user show' => sub {
    fresh();
    redis('HSET', "{pu}:user:$ID", roles => 'admin@1700000000 old@1=2',
          scopes => 'read', epoch => 1600000000, user_name => 'alice',
          suspended_by => '');
    redis('SET', '{pu}:name:' . name_index('alice'), $ID);

    my $out = done('by id', 'user', 'show', $ID);
    like($out, qr/^state +active$/m, 'state');
    like($out, qr/^role +admin, granted 2023-11-14T22:13:20Z$/m, 'role');
    like($out, qr/^role +old, .*ended 1970-01-01T00:00:02Z$/m, 'ended');
    like($out, qr/^scopes, at most +read$/m, 'scopes');
    like($out, qr/^handles +sub:/m, 'handle');

    is(done('by subject', 'user', 'show', "sub:$ISSUER#alice"), $out,
       'by subject');
    is(done('by name', 'user', 'show', 'name:ALICE'), $out, 'by name');

    my $user = json('json', 'user', 'show', $ID);
    is($user->{id}, $ID, 'id');
    is_deeply($user->{roles}, ['admin'], 'roles in force');
    is_deeply($user->{grants}[1], { role => 'old', granted => 1,
              expires => 2, ended => JSON::PP::true }, 'every grant');
    is_deeply($user->{scopes}, ['read'], 'scopes');
    is($user->{epoch}, 1600000000, 'epoch');
    is_deeply($user->{handles}, ['sub:' . handle_digest('alice', $ISSUER)],
              'handles');
    is($user->{handle_count}, 1, 'and how many');

    refused('id', 1, qr/no user \Q@{[user_id(9)]}/, 'user', 'show',
            user_id(9));
    refused('name', 1, qr/"name:bob"/, 'user', 'show', 'name:bob');
    refused('subject', 1, qr/no user/, 'user', 'show', "sub:$ISSUER#bob");
    refused('other issuer', 1, qr/no user/, 'user', 'show',
            'sub:https://other#alice');
};


sub name_index {
    require Digest::SHA;
    return Digest::SHA::sha256_base64($_[0]) =~ tr{+/}{-_}r;
}


subtest 'a subject may hold anything' => sub {
    redis('FLUSHALL');
    seed_user(id => $ID, sub => 'a#b c|d', on => $server);
    is(json('show', 'user', 'show', "sub:$ISSUER#a#b c|d")->{id}, $ID,
       'the first # counts');
};


subtest 'suspend, resume, delete' => sub {
    fresh();

    is(done('suspend', 'user', 'suspend', $ID, '--reason', 'lost laptop'),
       "$ID is suspended (version 2)\n", 'says what is so now');
    is(user('state'), 'suspended', 'and it is');

    my $entry = redis('XREVRANGE', '{pu}:log', '+', '-')->[0][1];
    is_deeply([@$entry[0 .. 7, 10 .. 13]],
              [op => 'suspend', user => $ID, handle => '', version => 2,
               source => 'cli', reason => 'lost laptop'], 'log');
    is($entry->[9], scalar getpwuid($<), 'the actor is who runs it');

    like(done('again', 'user', 'suspend', $ID), qr/already \(version 2\)/,
         'once is enough, and no error');
    is(redis('XLEN', '{pu}:log'), 1, 'one entry');

    is_deeply(json('resume', 'user', 'resume', "sub:$ISSUER#alice"),
              { user => $ID, op => 'resume', changed => JSON::PP::true,
                version => 3 }, 'resume');
    is(json('again', 'user', 'resume', $ID)->{changed}, JSON::PP::false,
       'unchanged');

    redis('HSET', "{pu}:user:$ID", user_name => 'Alice',
          external_id => 'x-1');
    redis('SET', '{pu}:name:' . name_index('alice'), $ID);
    redis('SET', '{pu}:external:' . name_index('x-1'), $ID);

    is(json('delete', 'user', 'delete', 'name:alice')->{version}, 4,
       'delete');
    is(user('state'), 'deleted', 'and it is');
    is(redis('EXISTS', '{pu}:name:' . name_index('alice'),
             '{pu}:external:' . name_index('x-1')), 0, 'the name is free');
    is(redis('EXISTS', '{pu}:handle:sub:' . handle_digest('alice', $ISSUER)),
       1, 'the identity stays known');
    like(done('again', 'user', 'delete', $ID), qr/deleted already/, 'again');

    refused($_, 1, qr/is deleted/, 'user', $_, $ID)
        for qw(suspend resume);
    refused('grant', 1, qr/is deleted/, 'user', 'grant', $ID, 'admin');

    refused($_, 1, qr/no user/, 'user', $_, user_id(9))
        for qw(suspend resume delete revoke);
};


subtest 'grant, ungrant, revoke' => sub {
    fresh();

    is(done('grant', 'user', 'grant', $ID, 'admin'),
       "$ID has this role now (version 2)\n", 'grant');
    like(user('roles'), qr/^admin\@\d+$/, 'kept with its time');

    my $grant = json('for', 'user', 'grant', $ID, 'admin', '--for', '30m');
    is($grant->{role}, 'admin', 'role in JSON');
    user('roles') =~ /^admin\@(\d+)=(\d+)$/ or fail('roles');
    is($2 - $1, 1800, 'for so long');

    done('ungrant', 'user', 'ungrant', $ID, 'admin');
    is(user('roles'), '', 'taken away');
    like(done('again', 'user', 'ungrant', $ID, 'admin'),
         qr/did not have this role/, 'and once is enough');

    redis('HSET', "{pu}:user:$ID",
          roles => join ' ', map { "r$_" } 1 .. 256);
    refused('full', 1, qr/as many roles.*ungrant/, 'user', 'grant', $ID,
            'x');

    my $before = time;
    is(done('revoke', 'user', 'revoke', $ID), "$ID has no valid token any "
       . "more: every one issued so far is refused (version 5)\n", 'revoke');
    cmp_ok(user('epoch'), '>=', int $before, 'epoch');
};


subtest 'the script is loaded when Redis has forgotten it' => sub {
    fresh();
    redis('SCRIPT', 'FLUSH');
    done('suspend', 'user', 'suspend', $ID);
    redis('SCRIPT', 'FLUSH');
    done('resume', 'user', 'resume', $ID);
    is(user('version'), 3, 'each was made once');
};


subtest 'records edited by hand to nonsense' => sub {
    fresh();
    redis('HSET', "{pu}:user:$ID", state => 'zombie');

    like((run('user', 'list'))[1], qr/^\Q$ID\E  unreadable/m, 'list');

    my ($code, $out, $err) = run('user', 'show', $ID);
    is($code, 1, 'show');
    like($out, qr/^state +unreadable$/m, 'says so');
    like($err, qr/cannot be read.*repair/, 'and what to do');

    ($code, $out, $err) = run('--json', 'user', 'show', $ID);
    is($code, 1, 'show in JSON');
    is(json_of($out)->{state}, 'unreadable', 'is JSON all the same');

    refused('grant', 1, qr/record cannot be read/, 'user', 'grant', $ID,
            'a');
    done('suspend', 'user', 'suspend', $ID);

    fresh();
    redis('HSET', "{pu}:user:$ID", roles => 'a@x');
    refused('roles', 1, qr/roles cannot be read/, 'user', 'grant', $ID, 'a');

    fresh();
    redis('DEL', "{pu}:user:$ID");
    redis('SET', "{pu}:user:$ID", 'x');
    is((run('user', 'show', $ID))[0], 1, 'a string');
    like((run('user', 'list'))[1], qr/unreadable/, 'in the list');
    refused('change', 1, qr/cannot be read/, 'user', $_, $ID)
        for qw(suspend resume delete revoke);

    fresh();
    redis('SET', '{pu}:name:' . name_index('x'), 'nonsense');
    refused('name', 1, qr/cannot be read/, 'user', 'show', 'name:x');
    redis('DEL', '{pu}:name:' . name_index('x'));
    redis('SADD', '{pu}:name:' . name_index('x'), $ID);
    refused('name of another type', 1, qr/cannot be read/, 'user', 'show',
            'name:x');

    fresh();
    redis('ZADD', '{pu}:users', 1, "nonsense\e[31m");
    like((run('user', 'list'))[1], qr/^nonsense\\x1b\[31m +unreadable/m,
         'nonsense in the index');

    redis('DEL', '{pu}:users');
    redis('SET', '{pu}:users', 'x');
    refused('index', 1, qr/index.*cannot be read/, 'user', 'list');

    fresh();
    redis('SET', '{pu}:log', 'x');
    refused('log', 1, qr/log cannot be read/, 'log', '--follow');
    is((run('log'))[0], 1, 'log');
    refused('change without a log', 1, qr/change log/, 'user', 'suspend',
            $ID);
};


subtest 'what Redis holds cannot steer a terminal' => sub {
    my $nasty = "a\e]0;x\a\r\n\x7f\xff\xc2\x9b1m\xe2\x80\xaegnp\xc3\xb6";

    redis('FLUSHALL');
    seed_user(id => $ID, sub => 'alice', on => $server, name => $nasty,
              user_name => $nasty);
    run('user', 'suspend', $ID, '--reason', $nasty);

    for my $verb (['user', 'list'], ['user', 'show', $ID], ['log']) {
        my ($code, $out) = run(@$verb);
        is($code, 0, "@$verb");
        unlike($out, qr/[\x00-\x09\x0b-\x1f\x7f\xff]|\xc2[\x80-\x9f]|\xe2\x80\xae/,
               'no control character');
        like($out, qr/a\\x1b\]0;x\\x07\\x0d\\x0a\\x7f\\xff\\u009b1m\\u202egnp\xc3\xb6/,
             'but it is there to be seen');

        my $value = eval { json_of((run('--json', @$verb))[1]) };
        ok(defined $value, 'valid JSON');
    }

    my ($code, $out, $err) = run('user', 'show', "name:\e[31m");
    unlike($err, qr/\e/, 'nor can an argument');
};


subtest 'log' => sub {
    fresh();
    is_deeply(json('empty', 'log'), { entries => [] }, 'empty in JSON');
    like(done('empty', 'log'), qr/\ATIME +OP .*\n\z/, 'a heading only');

    seed_user(id => user_id(2), sub => 'bob', on => $server);
    run('user', 'suspend', $ID, '--reason', 'one');
    run('user', 'suspend', user_id(2), '--reason', 'two');

    my @line = split /\n/, done('all', 'log');
    is(@line, 3, 'all');
    like($line[1], qr/^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z  suspend +\Q$ID\E  2 +\S+ +cli +- +one$/,
         'a line');

    my $entries = json('json', 'log')->{entries};
    is(@$entries, 2, 'all in JSON');
    is_deeply([sort keys %{ $entries->[0] }],
              [qw(actor handle id op reason source time user version)],
              'its fields');
    is($entries->[0]{version}, 2, 'version');

    $entries = json('user', 'log', '--user', "sub:$ISSUER#bob")->{entries};
    is_deeply([map { $_->{reason} } @$entries], ['two'], 'of one user');
    refused('nobody', 1, qr/no user/, 'log', '--user', "sub:$ISSUER#eve");

    redis('XADD', '{pu}:log', '*', op => 'x', user => $ID);
    my ($ms) = $entries->[0]{id} =~ /^(\d+)/;
    my $count = sub {
        scalar @{ json("since $_[0]", 'log', '--since', $_[0])->{entries} }
    };
    is($count->('10m'), 3, 'since ten minutes');
    is($count->('0'), 3, 'since 1970');
    is($count->(int($ms / 1000) + 100), 0, 'since later');
    is($count->('2020-01-01T00:00:00Z'), 3, 'since a date');
    is($count->('2020-01-01'), 3, 'without a time');
    is($count->('2020-01-01T01:02:03.456+02:00'), 3, 'with an offset');
    is($count->('2990-01-01T00:00:00Z'), 0, 'since a date to come');
};


subtest 'a long log is read in pages' => sub {
    redis('FLUSHALL');
    redis('EVAL', <<'LUA', 1, '{pu}:log');
        for i = 1, 1700 do
            redis.call('XADD', KEYS[1], i .. '-' .. i, 'op', 'n' .. i)
        end
LUA

    my $entries = json('all', 'log')->{entries};
    is(@$entries, 1700, 'all of it');
    is($entries->[1699]{op}, 'n1700', 'in order');
    is(keys %{ { map { $_->{id} => 1 } @$entries } }, 1700, 'each once');

    redis('XADD', '{pu}:log', '*', nonsense => 'x');
    is(json('unknown field', 'log')->{entries}[1700]{op}, '',
       'an entry that is none of ours');
};


subtest 'log --follow' => sub {
    for my $mode ([], ['--json']) {
        fresh();
        run('user', 'suspend', $ID);

        my $file = "$tmp/follow" . ++$n;
        my $pid = fork // die;

        if ($pid == 0) {
            open STDOUT, '>', $file;
            open STDERR, '>', "$file.err";
            exec command_path(), '--redis', $url, @$mode, 'log', '--follow'
                or POSIX::_exit(127);
        }

        sleep 0.3;
        run('user', 'resume', $ID, '--reason', 'seen');

        my $end = time + 10;
        sleep 0.01 until slurp($file) =~ /\n/ || time > $end;

        my $out = slurp($file);
        like($out, qr/resume.*seen/, "@$mode: what comes");
        unlike($out, qr/suspend/, "@$mode: not what was");
        ok(eval { json_of($out) }, 'a document a line') if @$mode;

        # It waits in rounds; after a quiet one it is still there.
        sleep 1.3;
        run('user', 'revoke', $ID);
        $end = time + 10;
        sleep 0.01 until slurp($file) =~ /revoke/ || time > $end;
        like(slurp($file), qr/revoke/, "@$mode: and goes on");

        kill TERM => $pid;
        waitpid $pid, 0;
        is(slurp("$file.err"), '', "@$mode: no error");
    }
};


subtest 'doctor' => sub {
    fresh();
    redis('HSET', '{pu}:meta', store => 'STORE-A', schema => 1);
    run('user', 'suspend', $ID);

    my $out = done('doctor', 'doctor');
    like($out, qr/^version +\d+\.\d+/m, 'version');
    like($out, qr/^store +STORE-A$/m, 'store');
    like($out, qr/^accepted +-$/m, 'not accepted');
    like($out, qr/^log +1 entries$/m, 'log');
    like($out, qr/^clock +[+-]0\.\d+ s/m, 'clock');

    my $json = json('json', 'doctor');
    is($json->{users}, 1, 'users');
    is($json->{store}, 'STORE-A', 'store');

    is(done('accept', 'doctor', '--accept-store', '--reason', 'restored'),
       "store STORE-A is accepted: a running nginx takes it from now on\n",
       'accepted');
    is(redis('HGET', '{pu}:meta', 'accepted'), 'STORE-A', 'in Redis');
    is(json('again', 'doctor', '--accept-store')->{changed},
       JSON::PP::false, 'once is enough');
    is(json_of((run('--json', 'log'))[1])->{entries}[-1]{reason}, 'restored',
       'the log knows');

    redis('FLUSHALL');
    like(done('new store', 'doctor', '--accept-store', '--json'),
         qr/"store": "[\w-]{22}"/, 'an empty Redis gets an id');

    redis('DEL', '{pu}:meta');
    redis('SET', '{pu}:meta', 'x');
    refused('meta', 1, qr/meta/, 'doctor', '--accept-store');

    redis('DEL', '{pu}:log');
    redis('SET', '{pu}:log', 'x');
    is((run('doctor'))[0], 1, 'a log that is none');
};


subtest 'a reader who goes away' => sub {
    redis('FLUSHALL');
    redis('EVAL', "for i = 1, 20000 do redis.call('XADD', KEYS[1], "
                  . "i .. '-1', 'op', 'x', 'reason', string.rep('y', 100)) "
                  . "end", 1, '{pu}:log');

    my $first = `@{[command_path()]} --redis $url log 2>$tmp/gone | head -1`;
    like($first, qr/^TIME/, 'head has its line');
    is(slurp("$tmp/gone"), '', 'and no complaint');

    SKIP: {
        skip 'no /dev/full', 1 unless -e '/dev/full';
        my $said = `@{[command_path()]} --redis $url log 2>&1 >/dev/full`;
        is($? >> 8, 1, 'a full disk is told');
        like($said, qr/standard output/, 'in a sentence');
    }
};


done_testing();
