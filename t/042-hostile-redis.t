# A Redis that answers what it never should: nothing it says wrongly is taken
# for a user, for a stranger or for a change, no worker dies of it, and when it
# comes to its senses all is well.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $redis = redis_start();
my $fake = fake_redis($redis);
my $number = 0;

# nginx talks to the fake, the test to the real one.
sub through_fake {
    return store_nginx(url => "redis://127.0.0.1:$fake->{port}", @_);
}

sub cold {
    my $n = ++$number;
    seed_user(id => user_id($n), sub => "cold-$n", @_);
    return as("cold-$n");
}

# RESP of Perl data: numbers, strings, undef, lists; a reference to a string
# is sent as it is.
sub resp {
    my ($data) = @_;

    return "\$-1\r\n" unless defined $data;
    return $$data if ref $data eq 'SCALAR';
    return join '', '*' . @$data . "\r\n", map { resp($_) } @$data
        if ref $data;
    return ":$data\r\n" if $data =~ /^-?\d+\z/;
    return '$' . length($data) . "\r\n$data\r\n";
}

# What a look-up is answered when somebody is there; the parts can be changed.
sub found {
    my (%change) = @_;

    my %part = (
        word => 'found', store => 'S' x 22, accepted => undef, created => 0,
        handle => [user_id(1), undef, 'active', (undef) x 4],
        user => ['Alice', 'human', 'active', issuer_url(), 'alice', '',
                 undef, \"\$1\r\n0\r\n", undef, \"\$1\r\n1\r\n"],
        %change);
    return resp([@part{qw(word store accepted created handle user)}]);
}

sub reply { return (mode => 'reply', bytes => $_[0]) }

sub memory {
    my $sum = 0;
    for my $pid (@_) {
        my ($kb) = read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
        $sum += $kb;
    }
    return $sum;
}

sub errors { scalar lines($_[0]->log, qr/\[error\].*for $_[1]/) }

sub set_mode {
    my (%opt) = @_;
    my $mode = delete $opt{mode};
    $fake->mode($mode, %opt);
}

my @alien = (
    ['bytes that are no RESP', mode => 'garbage'],
    ['half an answer', mode => 'cut'],
    ['one byte a second', mode => 'slow'],
    ['nothing', mode => 'silence'],
    ['the end of the connection', mode => 'close'],
    ['a string of 10^12 bytes', mode => 'huge'],
    ['a string of 512 MB', reply("\$536870912\r\n")],
    ['the beginning of such a string',
     reply("\$536870912\r\n" . 'x' x 400_000)],
    ['an array of 2^31 - 1', reply("*2147483647\r\n")],
    ['an array of 2^31', reply("*2147483648\r\n")],
    ['an array of 2^63', reply("*9223372036854775808\r\n")],
    ['an array of -2', reply("*-2\r\n")],
    ['an array in an array, 1,000 deep', mode => 'deep'],
    ['a thousand arrays of a thousand', reply("*1000\r\n" x 1000)],
    ['a string of -7 bytes', reply("\$-7\r\nabc\r\n")],
    ['a number of 40 digits', reply(':' . '9' x 40 . "\r\n")],
    ['a line without an end', reply('+' . 'a' x 200_000)],
    ['an answer of HTTP', reply("HTTP/1.1 200 OK\r\n\r\n")],
);

my @wrong = (
    ['nil', mode => 'nil'],
    ['a number', mode => 'integer'],
    ['a status', mode => 'status'],
    ['nothing in an array', mode => 'empty'],
    ['nil for an array', reply("*-1\r\n")],
    ['a word', reply(resp('found'))],
    ['a word in an array', reply(resp(['found']))],
    ['five parts', reply(resp(['found', 'S' x 22, undef, 0, []]))],
    ['no user in it', reply(found(user => []))],
    ['no handle in it', reply(found(handle => []))],
    ['a user too short', reply(found(user => ['Alice', 'human', 'active']))],
    ['a user of the wrong kind', reply(found(user => 'active'))],
    ['a user of numbers', reply(found(user => [(1) x 10]))],
    ['a user of lists', reply(found(user => [([]) x 10]))],
    ['a user without a state', reply(found(
        user => ['Alice', 'human', undef, (undef) x 7]))],
    ['a state as a status', reply(found(
        user => ['Alice', 'human', \"+active\r\n", (undef) x 7]))],
    ['a state as an error', reply(found(
        user => ['Alice', 'human', \"-active\r\n", (undef) x 7]))],
    ['an id that is none', reply(found(
        handle => ["u_\0" . 'A' x 21, undef, 'active', (undef) x 4]))],
    ['a handle in a state nobody knows', reply(found(
        handle => [user_id(1), undef, 'ACTIVE', (undef) x 4]))],
    ['a word nobody knows', reply(found(word => 'FOUND'))],
    ['an empty word', reply(found(word => ''))],
    ['no word', reply(found(word => undef))],
    ['"created" in words', reply(found(created => 'no'))],
    ['a store of 1,000 bytes', reply(found(store => 'S' x 1000))],
    ['a store that is a list', reply(found(store => []))],
    ['"foreign"', reply(found(word => 'foreign', store => 'T' x 22))],
    ['"unreadable"', reply(found(word => 'unreadable'))],
    ['the answer to a change', reply(resp(['done', 2, '']))],
    ['an entry of the log', reply(resp([['{pu}:log', [['1-1', []]]]]))],
    ['LOADING', mode => 'loading'],
    ['READONLY', mode => 'readonly'],
    ['MASTERDOWN', mode => 'masterdown'],
    ['NOPERM', mode => 'noperm'],
    ['OOM', mode => 'oom'],
    ['MOVED', mode => 'moved'],
    ['NOSCRIPT again and again', mode => 'noscript'],
    ['an error of the script', reply("-ERR user_script:1: x\r\n")],
    ['an error without a word', reply("-\r\n")],
    ['an error of 100,000 bytes', reply('-' . 'E' x 100_000 . "\r\n")],
);


subtest 'a look-up that is answered so' => sub {
    my $nginx = through_fake();
    seed_user(id => user_id(90001), sub => 'alice');
    redis('HSET', '{pu}:meta', store => 'R' x 22, schema => 1);
    warm($nginx);
    is verdict($nginx, as('alice')), '200 ok', 'alice is known';

    my @pid = all_workers($nginx);
    my $memory = memory(@pid);
    my (%lines, @secrets);

    for (@alien, @wrong) {
        my ($title, @mode) = @$_;
        my $token = cold();

        $nginx->mark;
        set_mode(@mode, on => 'EVALSHA');
        my $start = time;
        my $r = ask($nginx, $token);
        is "$r->{status} $r->{reason} $r->{id}", '503 store_unavailable ',
            "$title: not known";
        cmp_ok time - $start, '<', 0.4, 'and that soon';
        $lines{$title} = lines($nginx->log, qr/\[error\]/);

        $fake->mode('pass');
        my $seconds = within(2, sub {
            verdict($nginx, $token) eq '200 ok'
        });
        cmp_ok $seconds // 9, '<', 1, 'then it is';
    }

    is_deeply [grep { $lines{$_} < 1 } sort keys %lines], [],
        'the log has said so of every one';
    is_deeply [grep { $lines{$_} > 2 } sort keys %lines], [],
        'in a line or two';
    is verdict($nginx, as('alice')), '200 ok', 'alice is still known';
    is_deeply [all_workers($nginx)], \@pid, 'no worker has died';

    SKIP: {
        skip 'a sanitizer keeps what was freed', 1
            if $ENV{PROXY_USER_MODULE} eq '';
        cmp_ok memory(@pid) - $memory, '<', 8192, 'nor grown by much';
    }
};


# Who has asked may ask again once: one fault is nobody's trouble.
subtest 'a fault that happens once' => sub {
    my $nginx = through_fake();
    warm($nginx);

    for (['the end of the connection', 'close'], ['half an answer', 'cut'],
         ['bytes that are no RESP', 'garbage'], ['NOSCRIPT', 'noscript'],
         ['an array in an array', 'deep']) {
        my ($title, $mode) = @$_;
        my $token = cold();
        $fake->mode($mode, on => 'EVALSHA', times => 1);
        is verdict($nginx, $token), '200 ok', "$title, once";
    }

    # Twice is no answer.
    $fake->mode('close', on => 'EVALSHA', times => 2);
    my $token = cold();
    is verdict($nginx, $token), '503 store_unavailable', 'and twice';
    ok defined within(2, sub { verdict($nginx, $token) eq '200 ok' }),
        'then all is well';

    # The scripts are really gone.
    $fake->mode('pass');
    for my $time (1 .. 3) {
        $nginx->mark;
        redis('SCRIPT', 'FLUSH');
        my @token = map { cold() } 1 .. 5;
        is_deeply verdicts($nginx, @token), { '200 ok' => 5 },
            "SCRIPT FLUSH, time $time";
        unlike $nginx->log, qr/\[error\]/, 'is not worth a line';
    }

    $fake->mode('noscript', on => 'EVALSHA');
    my $asked = $fake->count('EVALSHA');
    is verdict($nginx, cold()), '503 store_unavailable',
        'a script that cannot be loaded';
    cmp_ok $fake->count('EVALSHA') - $asked, '<=', 2, 'is tried again once';
    $fake->mode('pass');
};


subtest 'more answers than questions' => sub {
    my $nginx = through_fake();
    warm($nginx);
    my @pid = all_workers($nginx);

    for (['two answers', found() . found()],
         ['an answer and a status', found() . "+OK\r\n"],
         ['an answer and half of one', found() . substr found(), 0, 30],
         ['an answer and nonsense', found() . "\0\0\r\n"]) {
        my ($title, $bytes) = @$_;
        $fake->mode('reply', bytes => $bytes, on => 'EVALSHA', times => 1);
        my $first = ask($nginx, cold());
        like "$first->{status} $first->{reason}",
            qr/^(?:200 ok|503 store_unavailable)$/, "$title: the first";

        for my $next (1 .. 3) {
            my $token = cold();
            my $r = ask($nginx, $token);
            is "$r->{status} $r->{id}", '200 ' . user_id($number),
                "request $next after it gets its own answer";
        }
    }
    is_deeply [all_workers($nginx)], \@pid, 'no worker has died';
};


# Before it has ever said anything right: nothing is assumed.
subtest 'a Redis that begins so' => sub {
    for my $mode (qw(loading masterdown garbage deep integer nil moved cut
                     slow)) {
        my $token = cold();
        $fake->mode($mode);
        my $nginx = through_fake(redis => 'connect_timeout=200ms');
        is_deeply verdicts($nginx, ($token) x 4),
            { '503 store_unavailable' => 4 }, "$mode: nobody is known";
        sleep 0.3;
        is verdict($nginx, $token, '/closed'), '503 store_unavailable',
            'nor later';
        is errors($nginx, 'look-ups'), 1, 'one line tells why';
        is errors($nginx, 'the change log'), 1, 'and one for the log'
            or diag "$mode: ", $nginx->log;

        $fake->mode('pass');
        my $seconds = within(3, sub {
            verdict($nginx, $token) eq '200 ok'
        });
        cmp_ok $seconds // 9, '<', 1.2, 'when it is right, it is used';
    }
};


# The log is lied about in every way that can be noticed. None may leave a
# suspended user in for longer than an unread log may.
subtest 'a change log that is answered so' => sub {
    seed_user(id => user_id(95001), sub => 'victim');
    my @case = (
        ['garbage', 'XREAD'], ['integer', 'XREAD'], ['empty', 'XREAD'],
        ['silence', 'XREAD'], ['loading', 'XREAD'], ['noperm', 'XREAD'],
        ['nil', 'XRANGE'], ['integer', 'XRANGE'], ['empty', 'XRANGE'],
        ['garbage', 'XRANGE'],
    );
    redis('XADD', '{pu}:log', '*', op => 'update', user => user_id(95001),
          handle => '', version => 1, actor => 'test', source => 'cli',
          reason => '');

    my @run = map {
        my ($mode, $on) = @$_;
        my $liar = fake_redis($redis);
        local $ENV{TEST_NGINX_BACKEND_PORT} = free_port();
        my $nginx = start_nginx(
            http => store_http(url => "redis://127.0.0.1:$liar->{port}"),
            server => store_server());
        { title => "$mode to $on", nginx => $nginx, liar => $liar,
          mode => $mode, on => $on };
    } @case;

    for (@run) {
        warm($_->{nginx});
        is verdict($_->{nginx}, as('victim')), '200 ok',
            "$_->{title}: served before";
        $_->{pid} = [all_workers($_->{nginx})];
        $_->{liar}->mode($_->{mode}, on => $_->{on});
        $_->{since} = time;
    }

    # Whatever was asked before has been answered rightly.
    sleep 1.1;
    my $start = time;
    change_user(user_id(95001), 'suspend', state => 'suspended');

    my %late;
    within(6, sub {
        for (@run) {
            next if exists $late{ $_->{title} };
            $late{ $_->{title} } = time - $start
                if verdict($_->{nginx}, as('victim')) ne '200 ok';
        }
        keys %late == @run;
    });

    for (@run) {
        my $nginx = $_->{nginx};
        is verdict($nginx, as('victim')), '403 user_suspended',
            "$_->{title}: suspended";
        cmp_ok $late{ $_->{title} } // 9, '<', 3.6, 'in time';
        is_deeply [all_workers($nginx)], $_->{pid}, 'nobody has died';
        cmp_ok scalar(lines($nginx->log, qr/\[(?:error|warn)\]/)), '<',
            10 + 5 * (time - $_->{since}), 'the log is not flooded'
            or diag $nginx->log;

        $_->{liar}->mode('pass');
        ok defined within(4, sub {
            ask($nginx, as('victim'))->{cache} eq 'hit'
        }), 'and the cache is used again';
        ok $nginx->stop, 'it stops';
        $_->{liar}->stop;
    }
};


# It greets well each time: that alone is no reason to come back at once, nor
# to say that all is well.
subtest 'a Redis that greets well and answers badly' => sub {
    for my $mode (qw(garbage silence)) {
        my $liar = fake_redis($redis);
        my $nginx = store_nginx(url => "redis://127.0.0.1:$liar->{port}");
        warm($nginx);
        $nginx->mark;
        my $asked = $liar->count('SCRIPT');

        $liar->mode($mode, on => 'EVALSHA|XREAD|XREVRANGE');
        my $end = time + 2.5;
        my $n = 0;
        while (time < $end) {
            my $token = cold();
            is verdict($nginx, $token), '503 store_unavailable',
                "$mode: not known" if $n++ % 50 == 0;
            verdict($nginx, $token);
            sleep 0.02;
        }

        for my $what ('look-ups', 'the change log') {
            my @said = lines($nginx->log,
                             qr/is (?:not )?available(?: again)? for $what/);
            cmp_ok scalar(@said), '<=', 4, "$mode: $what: few lines"
                or diag join "\n", @said;
            like $said[0] // '', qr/not available/, 'which tell of it';
        }
        cmp_ok $liar->count('SCRIPT') - $asked, '<=', 30,
            'nor is it greeted without a pause';

        $liar->mode('pass');
        my $token = cold();
        my $s = within(5, sub { verdict($nginx, $token) eq '200 ok' });
        cmp_ok $s // 9, '<', 1.2, "$mode: when it is right, it is used";
        ok defined within(5, sub {
            ask($nginx, $token)->{cache} eq 'hit' }), 'and users are kept';
        ok $nginx->wait_log(qr/is available again for $_/, 5), "$_: said so"
            for 'look-ups', 'the change log';
        ok $nginx->stop, 'it stops';
        $liar->stop;
    }
};


subtest 'entries that no writer of ours has made' => sub {
    my $nginx = store_nginx();
    seed_user(id => user_id(96001), sub => 'reader');
    warm($nginx);
    my @pid = all_workers($nginx);

    my $log = '{pu}:log';
    my @entry = (
        [x => 'y'], [op => 'suspend'], [user => 'u_short'],
        [user => user_id(96001)], [user => "u_\0" . 'A' x 21],
        [op => 'update', user => '', handle => 'sub'],
        [op => 'update', user => '', handle => 'sub:' . 'A' x 42],
        [op => 'update', user => '', handle => 'foo:' . 'A' x 43],
        [op => 'x' x 100_000, user => user_id(96001)],
        [map { ("f$_", 'v') } 1 .. 500],
        ['', ''],
    );

    for my $i (0 .. $#entry) {
        redis('XADD', $log, '*', @{ $entry[$i] });
        sleep 0.05;
        is verdict($nginx, as('reader')), '200 ok', "entry $i";
    }
    redis('XADD', $log, '*', x => $_) for 1 .. 1200;

    ok defined within(3, sub {
        ask($nginx, as('reader'))->{cache} eq 'hit'
    }), 'the cache is used after them';
    change_user(user_id(96001), 'suspend', state => 'suspended');
    my $seconds = within(3, sub {
        verdict($nginx, as('reader')) eq '403 user_suspended'
    });
    cmp_ok $seconds // 9, '<', 1, 'and what follows is read';
    is_deeply [all_workers($nginx)], \@pid, 'no worker has died';
    unlike $nginx->log, qr/\[error\]/, 'nothing is an error';
};


done_testing();
